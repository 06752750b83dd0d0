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
	Kind      EffectKind
	Event     EventName
	Party     PartyID
	Attention AttentionReason
	Step      int
	Handover  Handover
}

// Reason names why a decision came out as it did; it is logged, audited and shown.
type Reason string
