package handover

import (
	"strings"
	"testing"
)

// golden is written by hand from the state and event tables of the design, not from the
// code's table. A column is a state; a cell is the state afterwards, "=" for the same,
// "!" for illegal, "w" for illegal because the original has not arrived.
const golden = `
                                        none ann req rec def acc inp pau com dec for wit voi
admitted/sender                         ann  =   =   =   =   =   =   =   =   =   =   =   =
ready/sender                            req  req =   =   =   =   =   =   =   !   !   !   !
requested/sender                        req  !   =   =   =   =   =   =   =   !   !   !   !
receipted/system                        !    =   rec =   =   =   =   =   =   =   =   =   =
receipted/receiver                      !    =   rec =   =   =   =   =   =   =   =   =   =
receipted/copy                          !    =   =   =   =   =   =   =   =   =   =   =   =
unreachable/system                      !    =   =   =   =   =   =   =   =   =   =   =   =
accepted/receiver                       !    !   acc acc acc =   =   =   =   !   !   !   !
accepted/reader-receiver                !    !   acc acc acc =   =   =   =   !   !   !   !
accepted/receiver+discharged            !    !   inp inp inp inp =   =   =   !   !   !   !
deferred/receiver                       !    !   def def =   !   !   !   !   !   !   !   !
deferred/reader-receiver                !    !   def def =   !   !   !   !   !   !   !   !
answered-unclearly/receiver             !    !   rec =   =   =   !   !   !   !   !   !   !
declined/receiver                       !    !   dec dec dec !   !   !   !   =   !   !   !
misaddressed/receiver                   !    !   dec dec dec !   !   !   !   =   !   !   !
forwarded/receiver                      !    !   for for for !   !   !   !   !   !   !   !
retracted/receiver                      !    !   !   !   !   =   !   !   !   !   !   !   !
taken-back/sender                       !    !   !   !   =   def !   !   !   !   !   !   !
not-ready/sender                        w    w   ann ann ann ann !   !   !   !   !   !   !
not-ready/sender+undone                 w    =   ann ann ann ann !   !   !   !   !   !   !
withdrawn/sender                        w    wit wit wit wit wit !   !   !   wit !   =   !
withdrawal-asked/sender                 !    !   !   !   !   !   =   =   !   !   !   !   !
withdrawal-consented/receiver           !    !   !   !   !   !   !   !   !   !   !   !   !
withdrawal-consented/receiver+asked     !    !   !   !   !   !   wit wit !   !   !   !   !
withdrawal-refused/receiver             !    !   !   !   !   !   !   !   !   !   !   !   !
withdrawal-refused/receiver+asked       !    !   !   !   !   !   =   =   !   !   !   !   !
voided/sender                           w    voi voi voi voi voi =   !   !   !   !   !   =
started/receiver                        !    !   !   !   !   inp =   =   =   !   !   !   !
discharged/sender                       !    =   =   =   =   inp =   =   =   =   =   =   =
discharge-cancelled/sender              w    w   w   w   w   w   w   w   w   w   w   w   w
discharge-cancelled/sender+discharged   w    =   =   =   =   =   acc =   =   =   =   =   =
discharge-cancelled/sender+undone       w    =   =   =   =   =   =   =   =   =   =   =   =
paused/receiver                         !    !   !   !   !   !   pau =   !   !   !   !   !
resumed/receiver                        !    !   !   !   !   !   =   inp !   !   !   !   !
finished/receiver                       !    !   !   !   !   !   com com !   !   !   !   !
finished/policy                         !    !   !   !   !   !   !   !   !   !   !   !   !
finished/policy+delivered               !    !   !   !   !   !   com com !   !   !   !   !
readmitted/sender                       !    wit wit wit wit wit com com !   wit !   !   !
died/sender                             !    wit wit wit wit wit wit wit =   wit =   =   =
died/receiver                           !    wit wit wit wit wit wit wit =   wit =   =   =
died/system                             !    wit wit wit wit wit wit wit =   wit =   =   =
merged/sender                           !    =   =   =   =   =   =   =   =   =   =   =   =
moved/sender                            !    =   =   =   =   =   =   =   =   =   =   =   =
leave/receiver                          !    =   =   =   =   =   =   =   =   =   =   =   =
updated/receiver                        !    =   =   =   =   =   =   =   =   =   =   =   =
health-info-sent/sender                 !    =   =   =   =   =   =   =   =   =   =   =   =
report-sent/sender                      !    =   =   =   =   =   =   =   =   =   !   !   !
next-named/sender                       !    !   !   !   !   !   !   !   !   =   !   !   !
deadline-passed/clock                   !    =   =   =   =   =   =   =   =   =   =   =   =
attention-raised/system                 !    =   =   =   =   =   =   =   !   =   !   !   !
attention-raised/reader-receiver        !    =   =   =   =   =   =   =   !   =   !   !   !
attention-resolved/system               !    =   =   =   =   =   =   =   =   =   =   =   =
`

var goldenActors = map[string]Actor{
	"sender": sender(), "receiver": receiver(), "copy": {Role: RoleCopy, Party: copied}, "system": system(),
	"policy": {Role: RolePolicy}, "clock": clock(), "reader-receiver": reader(municipality),
}

func TestDecide_DischargeByTheDesignsTable(t *testing.T) {
	columns, lines := goldenRows()
	seen := map[EventName]bool{}
	for _, cells := range lines {
		name, who, _ := strings.Cut(cells[0], "/")
		who, facts, _ := strings.Cut(who, "+")
		seen[EventName(name)] = true
		for i, cell := range cells[1:] {
			h := stored(KindDischarge, stateOf(t, columns[i]))
			for _, fs := range factSets {
				if fs.name == facts && h.State != StateNone {
					fs.set(&h)
				}
			}
			goldenCell(t, cells[0], h, full(EventName(name)), goldenActors[who], cell)
		}
	}
	for _, name := range EventNames() {
		if !seen[name] {
			t.Errorf("no golden row for %s", name)
		}
	}
}

func goldenRows() (columns []string, lines [][]string) {
	for i, line := range strings.Split(strings.TrimSpace(golden), "\n") {
		if i == 0 {
			columns = strings.Fields(line)
			continue
		}
		lines = append(lines, strings.Fields(line))
	}
	return columns, lines
}

func stateOf(t *testing.T, short string) State {
	t.Helper()
	for _, s := range States() {
		if strings.HasPrefix(strings.ReplaceAll(string(s), "-", ""), short) || (short == "rec" && s == StateReceived) {
			return s
		}
	}
	t.Fatalf("no state %q", short)
	return ""
}

func goldenCell(t *testing.T, row string, h Handover, e Event, a Actor, cell string) {
	t.Helper()
	after, _, reason, fault := DefaultPolicy().Decide(KindDischarge, h, e, a, monday)
	switch {
	case cell == "!" || cell == "w":
		if fault == nil || fault.Kind != FaultIllegal || (reason == ReasonBeforeOriginal) != (cell == "w") {
			t.Errorf("%s in %s: want illegal %s, got %s %v", row, h.State, cell, reason, fault)
		}
	case fault != nil:
		t.Errorf("%s in %s: %v", row, h.State, fault)
	case cell == "=":
		if after.State != h.State {
			t.Errorf("%s in %s: went to %s", row, h.State, after.State)
		}
	case after.State != stateOf(t, cell):
		t.Errorf("%s in %s: went to %s, want %s", row, h.State, after.State, cell)
	}
}

// Referrals and coordination know no ward: what only a stay has is illegal there.
func TestDecide_OtherKinds_NoDischargeEvents(t *testing.T) {
	discharge := []EventName{EventAdmitted, EventReady, EventNotReady, EventDischarged, EventDischargeCancelled,
		EventReadmitted, EventHealthInfoSent, EventReportSent}
	for _, kind := range []Kind{KindReferral, KindCoordination} {
		for _, s := range States() {
			for _, name := range discharge {
				_, _, _, f := DefaultPolicy().Decide(kind, stored(kind, s), full(name), sender(), monday)
				if f == nil || f.Kind != FaultIllegal {
					t.Errorf("%s %s %s: %v", kind, s, name, f)
				}
			}
		}
	}
}
