package events

import (
	"fmt"
	"sort"
	"strings"

	"stafett/handover"
)

// gatewayAccount and systemAccount are the accounts beside the parties' own.
const (
	gatewayAccount = "STAFETT"
	systemAccount  = "SYS"
)

// User is a NATS user. The password is used as given, so it may be a bcrypt hash in a
// written configuration; it is printable ASCII without quotes or backslashes.
type User struct{ Name, Password string }

// PartyUsers are the two users of one party's account: the party's own, which may only
// read, and the gateway's, which fills the account's stream.
type PartyUsers struct {
	Party   handover.PartyID
	Reader  User
	Gateway User
}

// accountOf names a party's NATS account.
func accountOf(party handover.PartyID) string { return "PARTY-" + token(string(party)) }

// readerPublish is all that a party may send: requests about the stream in its own
// account. Requests that show or change the stream's own settings are absent.
var readerPublish = []string{
	"$JS.API.CONSUMER.CREATE." + StreamName,
	"$JS.API.CONSUMER.CREATE." + StreamName + ".>",
	"$JS.API.CONSUMER.DURABLE.CREATE." + StreamName + ".*",
	"$JS.API.CONSUMER.INFO." + StreamName + ".*",
	"$JS.API.CONSUMER.NAMES." + StreamName,
	"$JS.API.CONSUMER.LIST." + StreamName,
	"$JS.API.CONSUMER.DELETE." + StreamName + ".*",
	"$JS.API.CONSUMER.MSG.NEXT." + StreamName + ".*",
	"$JS.API.STREAM.MSG.GET." + StreamName,
	"$JS.API.DIRECT.GET." + StreamName,
	"$JS.API.DIRECT.GET." + StreamName + ".>",
	"$JS.ACK." + StreamName + ".>",
	"$JS.FC." + StreamName + ".>",
}

// AccountsConf writes the accounts part of a nats-server configuration: one account for
// the gateway, one for each party, and nothing exported or imported between them. The
// embedded server starts from the same text that an external cluster is given.
func AccountsConf(system, gateway User, parties []PartyUsers) (string, error) {
	for _, u := range append([]User{system, gateway}, usersOf(parties)...) {
		if !quotable(u.Name) || !quotable(u.Password) {
			return "", fmt.Errorf("events: user name or password for NATS is empty or has a character that its configuration cannot hold")
		}
	}
	sort.Slice(parties, func(i, j int) bool { return parties[i].Party < parties[j].Party })
	var b strings.Builder
	fmt.Fprintf(&b, "system_account: %s\naccounts {\n", systemAccount)
	fmt.Fprintf(&b, "  %s { users: [ { user: %q, password: %q } ] }\n", systemAccount, system.Name, system.Password)
	fmt.Fprintf(&b, "  %s { jetstream: enabled, users: [ { user: %q, password: %q } ] }\n",
		gatewayAccount, gateway.Name, gateway.Password)
	for i, p := range parties {
		if i > 0 && parties[i-1].Party == p.Party {
			return "", fmt.Errorf("events: party %q has two NATS accounts", p.Party)
		}
		writePartyAccount(&b, p)
	}
	b.WriteString("}\n")
	return b.String(), nil
}

func writePartyAccount(b *strings.Builder, p PartyUsers) {
	fmt.Fprintf(b, "  %q {\n    jetstream: { max_streams: 1, max_consumers: 64 }\n    users: [\n", accountOf(p.Party))
	fmt.Fprintf(b, "      { user: %q, password: %q }\n", p.Gateway.Name, p.Gateway.Password)
	fmt.Fprintf(b, "      { user: %q, password: %q, permissions: {\n", p.Reader.Name, p.Reader.Password)
	fmt.Fprintf(b, "          subscribe: { allow: [%q, %q] }\n", "_INBOX.>", inboxPrefix(p.Party)+".>")
	fmt.Fprintf(b, "          publish: { allow: [%s] } } }\n    ]\n  }\n", quoteAll(readerPublish))
}

// inboxPrefix is where answers to a party's requests go.
func inboxPrefix(party handover.PartyID) string { return "_INBOX_" + token(string(party)) }

func usersOf(parties []PartyUsers) []User {
	var out []User
	for _, p := range parties {
		out = append(out, p.Reader, p.Gateway)
	}
	return out
}

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(quoted, ", ")
}

// quotable reports whether s can stand between double quotes as it is.
func quotable(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}
