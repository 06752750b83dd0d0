package tell

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"stafett/directory"
	"stafett/handover"
)

// words are a text in the languages that a party may ask for.
type words struct{ nb, en string }

func (w words) in(language string) string {
	if language == directory.LanguageEnglish {
		return w.en
	}
	return w.nb
}

// alert is an escalation to a contact, or the word that it is over: what is due, by when, of
// whom, and how the handover stands. It names no patient.
func (o *outgoing) alert() string {
	lines := []string{o.alertHead()}
	if o.Event != handover.EventAttentionResolved {
		lines = append(lines, o.alertDue())
	}
	h := o.Handover
	lines = append(lines, o.say(alertState, stateTexts[h.State].in(o.party.Language), o.moment(h.Since), h.ID))
	return strings.Join(lines, "\n")
}

func (o *outgoing) alertHead() string {
	what := o.what().in(o.party.Language)
	if o.Event == handover.EventAttentionResolved {
		return o.say(alertOver, what)
	}
	return o.say(alertStep, o.Number, what)
}

// what is to be looked at: of a late state, what that state waits for.
func (o *outgoing) what() words {
	if text, ok := alertTexts[o.Attention]; ok {
		return text
	}
	h := o.Handover
	if text, ok := dischargeDue[h.State]; ok && h.Kind == handover.KindDischarge {
		return text
	}
	return cmp.Or(due[h.State], overdue)
}

// alertDue says by when and of whom: a late state's owner, else everybody whose attention it is.
func (o *outgoing) alertDue() string {
	h := o.Handover
	for _, a := range h.Attentions {
		switch {
		case a.Reason != o.Attention:
		case a.Reason == handover.AttentionOverdue:
			return o.say(alertLate, o.moment(a.RaisedAt), o.name(h.Owes()))
		default:
			return o.say(alertOpen, o.moment(a.RaisedAt), o.names(a.Parties), o.moment(a.Deadline))
		}
	}
	return o.say(alertFor, o.name(o.To))
}

func (o *outgoing) names(parties []handover.PartyID) string {
	var names []string
	for _, p := range parties {
		names = append(names, o.name(p))
	}
	return strings.Join(names, ", ")
}

// moment is a time as the alerted party writes it.
func (o *outgoing) moment(t time.Time) string {
	layout := words{"02.01.2006 kl. 15:04", "2 January 2006 at 15:04"}
	return t.In(o.party.Location()).Format(layout.in(o.party.Language))
}

func (o *outgoing) say(w words, args ...any) string {
	return fmt.Sprintf(w.in(o.party.Language), args...)
}

var (
	alertStep  = words{"Varsel fra overføringsportalen, trinn %d. %s", "Alert from the handover gateway, step %d. %s"}
	alertOver  = words{"Varselet er avsluttet og krever ikke mer: %s", "The alert is over and asks nothing more: %s"}
	alertLate  = words{"Fristen gikk ut %s. Følges opp av: %s.", "It was due %s. To be followed up by: %s."}
	alertOpen  = words{"Oppsto %s. Følges opp av: %s. Nytt varsel %s om ingen har registrert at det er løst.", "It arose %s. To be followed up by: %s. The next alert is %s unless somebody has recorded that it is resolved."}
	alertFor   = words{"Følges opp av: %s.", "To be followed up by: %s."}
	alertState = words{"Tilstand: %s siden %s. Overføring: %s.", "State: %s since %s. Handover: %s."}

	parkedDelivery = words{"Varsel fra overføringsportalen, trinn %d. Meldingen %s til %s er ikke levert og må følges opp (%s).",
		"Alert from the handover gateway, step %d. Message %s to %s is not delivered and must be followed up (%s)."}
	parkedMessage = words{"Varsel fra overføringsportalen, trinn %d. Meldingen %s er satt til side og må behandles av en person: %s (%s).",
		"Alert from the handover gateway, step %d. Message %s is set aside and a person must deal with it: %s (%s)."}
	closedMessage = words{"Meldingen %s er avsluttet av en person i overføringsportalen uten kvittering fra mottakeren: %s",
		"Message %s was ended by a person at the handover gateway, without a receipt of its receiver: %s"}

	overdue = words{"En frist er passert uten at overføringen er kommet videre.", "A deadline has passed and the handover has not moved."}
)

// due says what an open state waits for, of a referral or a coordination; dischargeDue of a
// discharge where that is something else.
var due = map[handover.State]words{
	handover.StateAnnounced:  {"Pasienten er fortsatt innlagt, og ingen melding om utskrivning er kommet.", "The patient is still admitted, and no word of a discharge has come."},
	handover.StateRequested:  {"Det er ikke bekreftet at henvendelsen er mottatt.", "Nobody has confirmed that the request was received."},
	handover.StateReceived:   {"Svar på henvendelsen mangler.", "The request is not answered."},
	handover.StateDeferred:   {"Dagen som var lovet, er kommet uten nytt svar.", "The promised day has come without a new answer."},
	handover.StateAccepted:   {"Oppfølgingen er ikke meldt startet.", "Nobody has told that the follow-up has started."},
	handover.StateInProgress: {"Oppfølgingen er ikke meldt avsluttet.", "Nobody has told that the follow-up has ended."},
	handover.StatePaused:     {"Oppfølgingen er fortsatt på vent.", "The follow-up is still on hold."},
	handover.StateDeclined:   {"Det er avslått, og det er ikke meldt hva som skjer videre med pasienten.", "It was declined, and nobody has told what follows for the patient."},
}

var dischargeDue = map[handover.State]words{
	handover.StateReceived:   {"Svar på meldingen om utskrivningsklar pasient mangler.", "The notice that the patient is ready for discharge is not answered."},
	handover.StateAccepted:   {"Pasienten er ikke meldt utskrevet.", "Nobody has told that the patient is discharged."},
	handover.StateInProgress: {"Det er ikke bekreftet at meldingen om utskrevet pasient og utskrivningsrapporten er mottatt.", "Nobody has confirmed that the discharge notice and the report were received."},
}

// alertTexts say what a contact must look at.
var alertTexts = map[handover.AttentionReason]words{
	handover.AttentionUnreachable:          {"En melding er ikke bekreftet mottatt av den andre parten. Ta kontakt på annen måte.", "A message is not confirmed by the other party. Contact them in another way."},
	handover.AttentionAnswerNeedsReading:   {"Et svar i fritekst må leses av en person og registreres.", "An answer in free text must be read by a person and recorded."},
	handover.AttentionRetracted:            {"Mottakeren trekker tilbake at pasienten kan tas imot.", "The receiver retracts that the patient can be received."},
	handover.AttentionWithdrawalAsked:      {"Avsenderen ber om at overføringen trekkes tilbake.", "The sender asks to withdraw the handover."},
	handover.AttentionVoidAfterStart:       {"Avsenderen melder overføringen som feil etter at oppfølgingen har begynt.", "The sender calls the handover an error after the follow-up has begun."},
	handover.AttentionDischargedUnaccepted: {"Pasienten er skrevet ut uten at mottakeren har sagt ja.", "The patient is discharged without the receiver's yes."},
	handover.AttentionNoHealthInfo:         {"Pasienten er meldt utskrivningsklar uten at helseopplysninger er sendt.", "The patient is reported ready for discharge without Helseopplysninger."},
	handover.AttentionReceiverMayBeWrong:   {"Mottakeren kan være feil etter en endring.", "The receiver may be the wrong one after a change."},
	handover.AttentionChainsMeet:           {"To forløp kan gjelde samme pasient, eller en melding gjelder en annen pasient.", "Two courses may be one patient's, or a message is about another patient."},
	handover.AttentionIllegalEvent:         {"En melding passer ikke med det som er registrert og må vurderes.", "A message does not fit the record and must be considered."},
	handover.AttentionPatientDied:          {"Pasienten er meldt død.", "The patient is reported dead."},
	handover.AttentionReceiptsContradict:   {"Mottakerens system har både bekreftet og avvist samme melding. Avklar om den er lest.", "The receiver's system has both confirmed and refused one message. Find out whether it was read."},
}

// stateTexts name the states.
var stateTexts = map[handover.State]words{
	handover.StateAnnounced: {"varslet", "announced"}, handover.StateRequested: {"forespurt", "requested"}, handover.StateReceived: {"mottatt", "received"},
	handover.StateDeferred: {"utsatt", "deferred"}, handover.StateAccepted: {"akseptert", "accepted"}, handover.StateInProgress: {"pågår", "in progress"},
	handover.StatePaused: {"på vent", "on hold"}, handover.StateCompleted: {"fullført", "completed"}, handover.StateDeclined: {"avslått", "declined"},
	handover.StateForwarded: {"videresendt", "forwarded"}, handover.StateWithdrawn: {"trukket tilbake", "withdrawn"}, handover.StateVoided: {"feilregistrert", "entered in error"},
}
