package tell

import (
	"fmt"
	"strings"

	"stafett/handover"
	"stafett/ledger"
)

// text says in bokmål, to people at a ward or a municipality, what happened or what they
// must look at. It names no patient: who it concerns stands in the message that carries it.
func (o *outgoing) text() string {
	switch {
	case o.ParkedDelivery != nil:
		d := o.ParkedDelivery
		return o.say(parkedDelivery, o.Number, d.ExternalID, o.name(d.Receiver), d.Error)
	case o.ParkedMessage != nil && o.Event == handover.EventAttentionResolved:
		m := o.ParkedMessage
		return o.say(closedMessage, m.ExternalID, m.Detail)
	case o.ParkedMessage != nil:
		m := o.ParkedMessage
		return o.say(parkedMessage, o.Number, m.ID, m.Reason, m.Detail)
	case o.Purpose == ledger.PurposeAlert:
		return o.alert()
	}
	return o.changes() + o.notice() + o.recordedBy()
}

// changes says what differs from what the receiver was told before; it stands first.
func (o *outgoing) changes() string {
	if len(o.Changes) == 0 {
		return ""
	}
	lines := []string{"Endret:"}
	for _, c := range o.Changes {
		switch {
		case c.Number:
			lines = append(lines, fmt.Sprintf("- %s: %s (rettet: det som ble sendt på et tidligere nummer, gjelder denne personen)", c.Label, c.After))
		case c.Before == "":
			lines = append(lines, fmt.Sprintf("- %s: %s (nytt)", c.Label, c.After))
		case c.After == "":
			lines = append(lines, fmt.Sprintf("- %s: %s (oppgis ikke lenger)", c.Label, c.Before))
		default:
			lines = append(lines, fmt.Sprintf("- %s: %s (tidligere %s)", c.Label, c.After, c.Before))
		}
	}
	return strings.Join(lines, "\n") + "\n\n"
}

// recordedBy says which person recorded what a party is said to have done.
func (o *outgoing) recordedBy() string {
	if o.Actor.Person == "" {
		return ""
	}
	return o.say(words{" Registrert av %s.", " Recorded by %s."}, o.Actor.Person)
}

// notice says what happened.
func (o *outgoing) notice() string {
	by := o.name(o.Actor.Party)
	text, day := noticeTexts[o.Event], o.Handover.Facts.PromisedDay
	if dated, ok := datedTexts[o.Event]; ok && !day.IsZero() {
		return fmt.Sprintf(dated, by, day.In(o.s.Zone(o.Handover.Sender)).Format("02.01.2006"))
	}
	if leave, ok := leaveTexts[o.Content.Facts["leave"]]; ok && o.Event == handover.EventLeave {
		text = leave
	}
	what := asked[o.Handover.Kind]
	switch {
	case o.Event == handover.EventRequested && len(o.Handover.Hops) > 0:
		return fmt.Sprintf("%s har sendt videre %s fra %s.", by, what.one, o.name(o.Handover.Sender))
	case o.Event == handover.EventRequested:
		return fmt.Sprintf("%s har sendt %s.", by, what.one)
	case o.Event == handover.EventForwarded:
		return fmt.Sprintf("%s har sendt %s videre.", by, what.the)
	}
	if text == "" {
		return fmt.Sprintf("%s: %s.", by, o.Event)
	}
	return fmt.Sprintf(text, by)
}

// datedTexts take the name of the party that acted and the promised day.
var datedTexts = map[handover.EventName]string{
	handover.EventAccepted: "%s kan ta imot pasienten %s.",
	handover.EventDeferred: "%s kan ikke ta imot pasienten nå, men fra %s.",
}

// asked names what a handover of each kind asks for.
var asked = map[handover.Kind]struct{ one, the string }{
	handover.KindReferral:     {"en henvisning", "henvisningen"},
	handover.KindDischarge:    {"en forespørsel om å ta imot pasienten etter utskrivning", "forespørselen"},
	handover.KindCoordination: {"en forespørsel om samordning", "forespørselen"},
}

// leaveTexts are by what the message says of the leave.
var leaveTexts = map[string]string{
	"away": "%s melder at pasienten har permisjon.",
	"back": "%s melder at pasienten er tilbake fra permisjon.",
}

func (o *outgoing) name(id handover.PartyID) string {
	if p, ok := o.s.Directory.Party(id); ok {
		return p.Name
	}
	return "Overføringsportalen"
}

// noticeTexts take the name of the party that acted.
var noticeTexts = map[handover.EventName]string{
	handover.EventAdmitted:            "%s har lagt inn pasienten.",
	handover.EventReady:               "%s melder pasienten utskrivningsklar.",
	handover.EventAccepted:            "%s kan ta imot pasienten.",
	handover.EventDeferred:            "%s kan ikke ta imot pasienten nå. Dagen er ikke kjent.",
	handover.EventAnsweredUnclearly:   "%s har svart i fritekst. Svaret må leses av en person og registreres.",
	handover.EventDeclined:            "%s har avslått.",
	handover.EventMisaddressed:        "%s melder at meldingen er feiladressert.",
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
	handover.EventMerged:              "%s melder at pasienten var registrert flere ganger, og at opplysningene er slått sammen.",
	handover.EventMoved:               "%s har flyttet pasienten til en annen enhet.",
	handover.EventLeave:               "%s melder at pasienten har permisjon eller er tilbake fra permisjon.",
	handover.EventUpdated:             "%s har sendt oppdaterte opplysninger.",
	handover.EventHealthInfoSent:      "%s har sendt helseopplysninger.",
	handover.EventReportSent:          "%s har sendt utskrivningsrapport.",
	handover.EventReceipted:           "%s har mottatt meldingen.",
}
