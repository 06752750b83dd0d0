package gateway

import (
	"fmt"

	"stafett/handover"
)

// noticeText says in bokmål, to people at a ward or a municipality, what happened. It names
// no patient: who it concerns stands in the message that carries it.
func (g *Gateway) noticeText(a *act, event handover.EventName) string {
	h := a.next
	by := g.partyName(a.actor.Party)
	day := ""
	if !h.Facts.PromisedDay.IsZero() {
		day = h.Facts.PromisedDay.In(g.zone(h.Sender)).Format("02.01.2006")
	}
	switch event {
	case handover.EventAccepted:
		if day != "" {
			return fmt.Sprintf("%s kan ta imot pasienten %s.", by, day)
		}
		return by + " kan ta imot pasienten."
	case handover.EventDeferred:
		if day != "" {
			return fmt.Sprintf("%s kan ikke ta imot pasienten nå, men fra %s.", by, day)
		}
		return by + " kan ikke ta imot pasienten nå. Dagen er ikke kjent."
	}
	if text, ok := noticeTexts[event]; ok {
		return fmt.Sprintf(text, by)
	}
	return fmt.Sprintf("%s: %s.", by, event)
}

// noticeTexts take the name of the party that acted.
var noticeTexts = map[handover.EventName]string{
	handover.EventAdmitted:            "%s har lagt inn pasienten.",
	handover.EventReady:               "%s melder pasienten utskrivningsklar.",
	handover.EventRequested:           "%s har sendt en henvisning.",
	handover.EventAnsweredUnclearly:   "%s har svart i fritekst. Svaret må leses av en person og registreres.",
	handover.EventDeclined:            "%s har avslått.",
	handover.EventMisaddressed:        "%s melder at meldingen er feiladressert.",
	handover.EventForwarded:           "%s har sendt henvisningen videre.",
	handover.EventRetracted:           "%s trekker tilbake at pasienten kan tas imot.",
	handover.EventTakenBack:           "%s tar ansvaret for overføringen tilbake.",
	handover.EventNotReady:            "%s melder at pasienten ikke lenger er utskrivningsklar.",
	handover.EventWithdrawn:           "%s har trukket overføringen tilbake.",
	handover.EventWithdrawalAsked:     "%s ber om at overføringen trekkes tilbake.",
	handover.EventWithdrawalConsented: "%s samtykker i at overføringen trekkes tilbake.",
	handover.EventWithdrawalRefused:   "%s samtykker ikke i at overføringen trekkes tilbake.",
	handover.EventVoided:              "%s melder at overføringen ble registrert ved en feil.",
	handover.EventStarted:             "%s har begynt oppfølgingen.",
	handover.EventDischarged:          "%s har skrevet ut pasienten.",
	handover.EventDischargeCancelled:  "%s melder at utskrivningen er trukket tilbake.",
	handover.EventPaused:              "%s har satt oppfølgingen på vent.",
	handover.EventResumed:             "%s har gjenopptatt oppfølgingen.",
	handover.EventFinished:            "%s har avsluttet oppfølgingen.",
	handover.EventReadmitted:          "%s har lagt inn pasienten på nytt.",
	handover.EventDied:                "%s melder at pasienten er død.",
	handover.EventUpdated:             "%s har sendt oppdaterte opplysninger.",
	handover.EventReceipted:           "%s har mottatt meldingen.",
}

// alertTexts say what a contact must look at.
var alertTexts = map[handover.AttentionReason]string{
	handover.AttentionUnreachable:          "En melding er ikke bekreftet mottatt av den andre parten. Ta kontakt på annen måte.",
	handover.AttentionAnswerNeedsReading:   "Et svar i fritekst må leses av en person og registreres.",
	handover.AttentionRetracted:            "Mottakeren trekker tilbake at pasienten kan tas imot.",
	handover.AttentionWithdrawalAsked:      "Avsenderen ber om at overføringen trekkes tilbake.",
	handover.AttentionVoidAfterStart:       "Avsenderen melder overføringen som feil etter at oppfølgingen har begynt.",
	handover.AttentionDischargedUnaccepted: "Pasienten er skrevet ut uten at mottakeren har sagt ja.",
	handover.AttentionNoHealthInfo:         "Pasienten er meldt utskrivningsklar uten at helseopplysninger er sendt.",
	handover.AttentionReceiverMayBeWrong:   "Mottakeren kan være feil etter en endring.",
	handover.AttentionChainsMeet:           "To forløp kan gjelde samme pasient.",
	handover.AttentionOverdue:              "En frist er passert uten at overføringen er kommet videre.",
	handover.AttentionIllegalEvent:         "En melding passer ikke med det som er registrert og må vurderes.",
	handover.AttentionPatientDied:          "Pasienten er meldt død.",
}

// alertText is an escalation to a contact, or the word that it is over: what, since when,
// which step.
func (g *Gateway) alertText(a *act, event handover.EventName, reason handover.AttentionReason, step int) string {
	what := alertTexts[reason]
	if what == "" {
		what = alertTexts[handover.AttentionOverdue]
	}
	head := fmt.Sprintf("Varsel fra overføringsportalen, trinn %d. %s", step, what)
	if event == handover.EventAttentionResolved {
		head = "Varselet er avsluttet og krever ikke mer: " + what
	}
	since := a.next.Since.In(g.zone(a.next.Sender)).Format("02.01.2006 kl. 15:04")
	return fmt.Sprintf("%s\nTilstand: %s siden %s. Overføring: %s.", head, stateTexts[a.next.State], since, a.next.ID)
}

// stateTexts name the states in bokmål.
var stateTexts = map[handover.State]string{
	handover.StateAnnounced: "varslet", handover.StateRequested: "forespurt", handover.StateReceived: "mottatt",
	handover.StateDeferred: "utsatt", handover.StateAccepted: "akseptert", handover.StateInProgress: "pågår",
	handover.StatePaused: "på vent", handover.StateCompleted: "fullført", handover.StateDeclined: "avslått",
	handover.StateForwarded: "videresendt", handover.StateWithdrawn: "trukket tilbake", handover.StateVoided: "feilregistrert",
}

func (g *Gateway) partyName(id handover.PartyID) string {
	if p, ok := g.dir.Party(id); ok {
		return p.Name
	}
	return "Overføringsportalen"
}
