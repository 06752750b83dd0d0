package handover

// EffectKind is what a decision asks the gateway to do, in the same transaction.
type EffectKind string

// The effect kinds.
const (
	// EffectPublish puts Event into the ledger's event sequence.
	EffectPublish EffectKind = "publish"
	// EffectTell sends what happened to Party in its own format, with a receipt wanted.
	EffectTell EffectKind = "tell"
	// EffectAlert delivers an escalation or attention notice to Party's contact,
	// step Step of the policy.
	EffectAlert EffectKind = "alert"
	// EffectOpen stores Handover as a new handover of the chain.
	EffectOpen EffectKind = "open"
	// EffectEndAccess ends Party's visibility, and records the disclosure.
	EffectEndAccess EffectKind = "end-access"
)

// Effect is one consequence of a decision.
type Effect struct {
	Kind EffectKind
	// Event is what is published or told; of an alert, why it goes out: attention-raised,
	// deadline-passed or attention-resolved (the end, announced once).
	Event EventName
	// Party is told, alerted, or loses access.
	Party PartyID
	// Attention is set for alerts and attention events; of deadline-passed it says which
	// clock: overdue is the state's own.
	Attention AttentionReason
	Step      int
	// Handover is the new one of open, and of every other effect that concerns the
	// opened handover; zero when it concerns the one decided on.
	Handover Handover
}

// Reason names why a decision came out as it did; it is logged, audited and shown.
type Reason string
