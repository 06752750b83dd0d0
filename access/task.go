package access

import (
	"slices"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// taskFields is which elements of a Task that exists each role may change.
//
// The receiver is Task.owner: its list is that of the Shared Care Planning profile
// (status … output), with the owner changed only when it forwards. executionPeriod is the
// receiver's because its start is the day that the receiver promised.
//
// The sender is Task.requester. It drives the handover by status (withdrawn, voided,
// taken back), and keeps what it asked for up to date; it does not speak for the
// receiver: statusReason, location, relevantHistory, output and the promised day are not its own.
//
// for, focus, basedOn, requester, identifier, code, intent, encounter and authoredOn are
// in no list: they say which handover this is. A wrong one is entered-in-error and a new
// Task, or a merge that the gateway itself writes.
var taskFields = map[handover.ActorRole][]string{
	handover.RoleSender: {"status", "businessStatus", "priority", "description",
		"lastModified", "note", "restriction", "input"},
	handover.RoleReceiver: {"status", "statusReason", "businessStatus", "executionPeriod",
		"lastModified", "owner", "location", "note", "relevantHistory", "output"},
}

var taskFieldSets = func() map[handover.ActorRole]map[string]bool {
	sets := map[handover.ActorRole]map[string]bool{}
	for role, fields := range taskFields {
		sets[role] = map[string]bool{}
		for _, f := range fields {
			sets[role][f] = true
		}
	}
	return sets
}()

// MayChangeTask decides whether c, in role, may change those elements of an existing
// Task, which then reads as after. changed holds names of top-level elements without id
// and meta; "_status" counts as status. Whether the new values are a legal step is for the
// decision to say. Faults: unauthenticated; forbidden with Path naming the first element
// that may not change.
func MayChangeTask(c Caller, role handover.ActorRole, changed []string, after fhir.Task) error {
	const op = "access.MayChangeTask"
	if !c.known() {
		return refuse(op, handover.FaultUnauthenticated, "who calls is not known")
	}
	may := taskFieldSets[role]
	if c.Kind != CallerParty || may == nil {
		return refuse(op, handover.FaultForbidden, "only the requester's and the owner's organisations change a Task")
	}
	owner := false
	for _, name := range changed {
		element := strings.TrimPrefix(name, "_")
		owner = owner || element == "owner"
		if !may[element] {
			return &handover.Fault{Kind: handover.FaultForbidden, Op: op, Path: elementPath(name),
				Text: "the " + string(role) + " may not change this element"}
		}
	}
	// A new owner without a rejection would move the handover past the sender.
	if owner && !forwards(changed, after) {
		return &handover.Fault{Kind: handover.FaultForbidden, Op: op, Path: "Task.owner",
			Text: "the owner changes only in forwarding: status rejected, businessStatus forwarded"}
	}
	return nil
}

// MayAskByTask decides whether c may create a Task with those top-level elements: it asks, and
// answers nothing in its receiver's place. Fault: forbidden with Path naming the first element that
// only a receiver says.
func MayAskByTask(elements []string) error {
	for _, name := range elements {
		element := strings.TrimPrefix(name, "_")
		if taskFieldSets[handover.RoleReceiver][element] && !taskFieldSets[handover.RoleSender][element] && element != "owner" {
			return &handover.Fault{Kind: handover.FaultForbidden, Op: "access.MayAskByTask", Path: elementPath(name),
				Text: "only the receiver says this element: a new Task is created without it"}
		}
	}
	return nil
}

// forwards reports whether a change is the receiver's passing on of a request.
func forwards(changed []string, after fhir.Task) bool {
	_, business := fhir.FirstCoding(after.BusinessStatus)
	return slices.Contains(changed, "status") && fhir.Code(after.Status) == handover.StateForwarded.TaskStatus() &&
		slices.Contains(changed, "businessStatus") && business == handover.StateForwarded.BusinessStatus()
}

// elementPath names an element that a caller sent. What is not letters is no element of
// FHIR's and may be anything, so it is not repeated.
func elementPath(name string) string {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "Task"
		}
	}
	if name == "" || len(name) > 40 {
		return "Task"
	}
	return "Task." + name
}
