package ledger

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stafett/fhir/search"
	"stafett/handover"
)

// condition is a piece of SQL with its parameters. Values reach SQL as parameters only.
type condition struct {
	sql  string
	args []any
}

func or(list []condition) condition { return joined(list, " OR ") }

// all holds where every condition does; of none, everywhere.
func all(list []condition) condition {
	if len(list) == 0 {
		return condition{sql: "1 = 1"}
	}
	return joined(list, " AND ")
}

func joined(list []condition, with string) condition {
	var out condition
	parts := make([]string, len(list))
	for i, c := range list {
		parts[i] = c.sql
		out.args = append(out.args, c.args...)
	}
	out.sql = "(" + strings.Join(parts, with) + ")"
	return out
}

const resourceColumns = "r.rid, r.type, r.id, v.version, v.entry, v.author, r.deleted, v.at, r.handover, v.json"

func scanResource(r Row) (resourceRow, error) {
	var row resourceRow
	var deleted, at int64
	err := r.Scan(&row.rid, &row.Type, &row.ID, &row.Version, &row.Entry, (*string)(&row.Author), &deleted, &at,
		(*string)(&row.Handover), &row.JSON)
	row.Deleted, row.At = deleted != 0, timeOf(at)
	if row.Deleted || len(row.JSON) == 0 {
		row.JSON = nil
	}
	return row, err
}

// sqlSearcher is the Searcher.
type sqlSearcher struct{ *shared }

// Search returns a page of what viewer may see; viewer "" sees all and is for operators.
func (s sqlSearcher) Search(ctx context.Context, q search.Query, viewer handover.PartyID) (Page, error) {
	clauses, err := clausesOf(q)
	if err != nil {
		return Page{}, err
	}
	page := Page{Total: -1}
	err = s.db.View(ctx, func(tx Tx) error {
		page.Resources, page.Next = nil, ""
		driver, err := driverOf(tx, clauses)
		if err != nil {
			return err
		}
		from, where := searchParts(q.Type, clauses, driver, viewer)
		paged, order, err := pageParts(q, where)
		if err != nil {
			return err
		}
		query := "SELECT " + resourceColumns + ", r.at FROM " + from.sql + " JOIN resource_version v ON v.vid = r.vid WHERE " +
			paged.sql + order + " LIMIT " + strconv.Itoa(q.Count+1)
		rows, keys, err := searchPage(tx, query, slices.Concat(from.args, paged.args))
		if err != nil {
			return err
		}
		if len(rows) > q.Count {
			rows = rows[:q.Count]
			page.Next = fmt.Sprintf("%d.%d", keys[q.Count-1], rows[q.Count-1].rid)
		}
		if page.Resources, err = withVisible(tx, rows); err != nil || !q.Total {
			return err
		}
		var total int64
		err = one(tx, "SELECT count(*) FROM "+from.sql+" WHERE "+where.sql, slices.Concat(from.args, where.args), &total)
		page.Total = int(total)
		return err
	})
	return page, err
}

func searchPage(tx Tx, query string, args []any) (rows []resourceRow, updated []int64, err error) {
	err = tx.Query(query, func(_ int, r Row) error {
		var at int64
		row, err := scanResource(trailing{r, &at})
		rows, updated = append(rows, row), append(updated, at)
		return err
	}, args)
	return rows, updated, err
}

// trailing scans one more column than the scanner it is given to knows of.
type trailing struct {
	Row
	last any
}

func (t trailing) Scan(dest ...any) error { return t.Row.Scan(append(dest, t.last)...) }

// searched is a clause and its condition.
type searched struct {
	search.Clause
	condition
}

func clausesOf(q search.Query) ([]searched, error) {
	if q.Count < 1 || q.Count > 1000 {
		return nil, invalid("page size is not 1 to 1000", "_count")
	}
	out := make([]searched, len(q.Clauses))
	for i, c := range q.Clauses {
		cond, err := clauseRows(q.Type, c)
		if err != nil {
			return nil, err
		}
		out[i] = searched{c, cond}
	}
	return out, nil
}

// driverLimit is how many index rows a clause may have to drive a query: more are cheaper
// found by walking the resources in the page's order.
const driverLimit = 2000

// driverOf counts, up to the limit, what each clause would find, and returns the index of
// the one with the fewest rows; -1 when none is selective.
func driverOf(tx Tx, clauses []searched) (int, error) {
	driver, fewest := -1, int64(driverLimit)
	for i, c := range clauses {
		if !drives(c.Clause) {
			continue
		}
		var n int64
		err := one(tx, "SELECT count(*) FROM (SELECT 1 AS found FROM search s WHERE "+c.sql+" LIMIT "+strconv.Itoa(driverLimit)+") p", c.args, &n)
		if err != nil {
			return -1, err
		}
		if n < fewest {
			driver, fewest = i, n
		}
	}
	return driver, nil
}

// searchParts joins the clauses: the driver's rows are found by index first, whatever
// order the page has; the other clauses look at the rows of each resource found.
func searchParts(typ string, clauses []searched, driver int, viewer handover.PartyID) (from, where condition) {
	from.sql = "resource r"
	where = condition{"r.type = ? AND r.deleted = 0", columnsOf(typ)}
	for i, c := range clauses {
		switch {
		case isColumn(c.Param):
			where.sql += " AND " + c.sql
		case i == driver:
			from = condition{"(SELECT DISTINCT s.rid FROM search s WHERE " + c.sql + ") d CROSS JOIN resource r", c.args}
			where.sql += " AND r.rid = d.rid"
			continue
		default:
			not := ""
			if negated(c.Clause) {
				not = "NOT "
			}
			// The plus keeps the planner from the index by value: there are few rows of
			// one resource, and there may be a million of one value.
			where.sql += " AND " + not + "EXISTS (SELECT 1 FROM search s WHERE s.rid = r.rid AND " +
				strings.ReplaceAll(c.sql, "s.param", "+s.param") + ")"
		}
		where.args = append(where.args, c.args...)
	}
	if viewer != "" {
		where = all([]condition{where, seenBy(viewer, "r.version")})
	}
	return from, where
}

// seenBy holds for the resources of which a party may read a version.
func seenBy(viewer handover.PartyID, version string) condition {
	return condition{"EXISTS (SELECT 1 FROM visibility w WHERE w.rid = r.rid AND w.party = ? AND " + heldAt(version) + ")", columnsOf(string(viewer))}
}

// heldAt holds for the grants w that are for a version.
func heldAt(version string) string {
	return "w.since <= " + version + " AND (w.until = 0 OR w.until >= " + version + ")"
}

// pageParts continues behind q.After and orders by last update.
func pageParts(q search.Query, where condition) (condition, string, error) {
	compare, order := ">", " ORDER BY r.at, r.rid"
	if q.SortDescending {
		compare, order = "<", " ORDER BY r.at DESC, r.rid DESC"
	}
	if q.After == "" {
		return where, order, nil
	}
	at, rid, ok := strings.Cut(q.After, ".")
	a, err1 := strconv.ParseInt(at, 10, 64)
	r, err2 := strconv.ParseInt(rid, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return where, "", invalid("page link is not one of ours", "")
	}
	args := append(append([]any(nil), where.args...), a, a, r)
	return condition{where.sql + " AND (r.at " + compare + " ? OR (r.at = ? AND r.rid " + compare + " ?))", args}, order, nil
}

func invalid(text, path string) error {
	return &handover.Fault{Kind: handover.FaultInvalid, Op: "ledger.Search", Text: text, Path: path}
}

func isColumn(param string) bool { return param == "_id" || param == "_lastUpdated" }

func negated(c search.Clause) bool {
	return c.Modifier == search.ModifierNot ||
		c.Modifier == search.ModifierMissing && len(c.Values) > 0 && c.Values[0].Value == "true"
}

// drives tells the clauses that an index can answer.
func drives(c search.Clause) bool {
	if isColumn(c.Param) || negated(c) || c.Modifier == search.ModifierMissing || c.Modifier == search.ModifierContains {
		return false
	}
	for _, v := range c.Values {
		if c.Kind == search.KindToken && v.Value == "" || v.Prefix == search.PrefixNe {
			return false
		}
	}
	return true
}

// clauseRows is the condition on search rows s (or the resource r) that c asks for.
func clauseRows(typ string, c search.Clause) (condition, error) {
	if len(c.Values) == 0 {
		return condition{}, invalid("search parameter without a value", c.Param)
	}
	if isColumn(c.Param) {
		return columnClause(c)
	}
	if c.Modifier == search.ModifierMissing {
		param := paramOf(typ, c.Param, c.Kind)
		if c.Kind == search.KindReference {
			return condition{"s.param IN (?, ?)", columnsOf(param, paramOf(typ, c.Param, identifierRows))}, nil
		}
		return condition{"s.param = ?", columnsOf(param)}, nil
	}
	alternatives := make([]condition, len(c.Values))
	for i, v := range c.Values {
		cond, err := valueCondition(c, v)
		if err != nil {
			return condition{}, err
		}
		param := paramOf(typ, c.Param, rowsOf(c, v))
		alternatives[i] = condition{"(s.param = ? AND " + cond.sql + ")", append(columnsOf(param), cond.args...)}
	}
	return or(alternatives), nil
}

// rowsOf names the rows that a value is looked for in.
func rowsOf(c search.Clause, v search.Value) search.Kind {
	switch {
	case c.Modifier == search.ModifierIdentifier:
		return identifierRows
	case c.Kind == search.KindQuantity && v.System != "" && v.Value != "":
		return codedRows
	}
	return c.Kind
}

func columnClause(c search.Clause) (condition, error) {
	var list []condition
	for _, v := range c.Values {
		switch {
		case c.Modifier == search.ModifierMissing:
			return condition{"? = 'false'", columnsOf(v.Value)}, nil
		case c.Param == "_id":
			list = append(list, condition{"r.id = ?", columnsOf(cleanText(v.Value))})
		default:
			low, high := bounds(v.Low, v.High)
			cond, err := rangeCondition(v.Prefix, "r.at", "r.at + 1", low, high)
			if err != nil {
				return cond, err
			}
			list = append(list, cond)
		}
	}
	cond := or(list)
	if c.Modifier == search.ModifierNot {
		cond.sql = "NOT " + cond.sql
	}
	return cond, nil
}

func valueCondition(c search.Clause, v search.Value) (condition, error) {
	switch c.Kind {
	case search.KindToken:
		return codeCondition(v), nil
	case search.KindReference:
		if c.Modifier == search.ModifierIdentifier {
			return codeCondition(v), nil
		}
		if v.RefType == "" {
			return condition{"s.value = ?", columnsOf(indexed(v.RefID))}, nil
		}
		return condition{"(s.value = ? AND s.system = ?)", columnsOf(indexed(v.RefID), systemOf(v.RefType))}, nil
	case search.KindString:
		return stringCondition(c.Modifier, v), nil
	case search.KindDate:
		low, high := bounds(v.Low, v.High)
		return rangeCondition(v.Prefix, "s.value", "s.system", sortable(low), high, sortable(high))
	case search.KindNumber, search.KindQuantity:
		return numberCondition(v)
	case search.KindURI:
		return condition{"s.value = ?", columnsOf(indexed(v.Value))}, nil
	}
	return condition{}, invalid("search parameter of a kind that is not indexed", c.Param)
}

// codeCondition is code, |code, system|code or system| (R4 3.1.1.4.10).
func codeCondition(v search.Value) condition {
	switch {
	case !v.HasSystem && v.System == "":
		return condition{"s.value = ?", columnsOf(indexed(v.Value))}
	case v.Value == "":
		return condition{"s.system = ?", columnsOf(systemOf(v.System))}
	}
	return condition{"(s.value = ? AND s.system = ?)", columnsOf(indexed(v.Value), systemOf(v.System))}
}

// stringCondition: a string matches from its start unless a modifier says otherwise
// (R4 3.1.1.4.8). Rows beyond valueLimit match by their first bytes.
func stringCondition(m search.Modifier, v search.Value) condition {
	value := cleanText(v.Value)
	switch m {
	case search.ModifierExact:
		// Exactly as written: the system column of a string row stands for that.
		return condition{"(s.value = ? AND s.system = ?)", columnsOf(indexed(value), systemOf(v.System))}
	case search.ModifierContains:
		return condition{`s.value LIKE ? ESCAPE '\'`, columnsOf(containing(value))}
	}
	return condition{"(s.value >= ? AND s.value < ?)", columnsOf(value, value+"\U0010FFFF")}
}

var likeEscapes = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// containing is the LIKE pattern of texts that contain s.
func containing(s string) string { return "%" + likeEscapes.Replace(s) + "%" }

// rangeCondition compares a row's range [low, high) with the searched one (R4 3.1.1.4.6):
// eq when the searched range contains the row's, gt and lt when the row's reaches beyond.
// bound is high as the low column is spelled, where the two columns are spelled apart.
func rangeCondition(prefix search.Prefix, lowColumn, highColumn string, low any, high int64, bound ...any) (condition, error) {
	inside := condition{"(" + lowColumn + " >= ? AND " + highColumn + " <= ?)", columnsOf(low, high)}
	if len(bound) > 0 { // lets the index end where no row can match any more
		inside = condition{"(" + lowColumn + " >= ? AND " + lowColumn + " <= ? AND " + highColumn + " <= ?)", columnsOf(low, bound[0], high)}
	}
	above := condition{highColumn + " > ?", columnsOf(high)}
	below := condition{lowColumn + " < ?", columnsOf(low)}
	switch prefix {
	case "", search.PrefixEq:
		return inside, nil
	case search.PrefixNe:
		return condition{"NOT " + inside.sql, inside.args}, nil
	case search.PrefixGt:
		return above, nil
	case search.PrefixLt:
		return below, nil
	case search.PrefixGe:
		return or([]condition{above, inside}), nil
	case search.PrefixLe:
		return or([]condition{below, inside}), nil
	}
	return condition{}, invalid("search prefix is not supported", "")
}

func numberCondition(v search.Value) (condition, error) {
	compare := map[search.Prefix]string{"": "=", search.PrefixEq: "=", search.PrefixNe: "<>",
		search.PrefixGt: ">", search.PrefixLt: "<", search.PrefixGe: ">=", search.PrefixLe: "<="}[v.Prefix]
	if compare == "" {
		return condition{}, invalid("search prefix is not supported", "")
	}
	cond := condition{"s.value " + compare + " ?", columnsOf(sortableNumber(v.Number))}
	if v.Value != "" { // the unit's code, alone or of a system
		unit := systemOf(v.Value)
		if v.System != "" {
			unit = shortDigest(v.System, v.Value)
		}
		cond = condition{"(" + cond.sql + " AND s.system = ?)", append(cond.args, unit)}
	}
	return cond, nil
}

// selectVisible goes from one party to the next in the index: a hospital's own Organization has
// grants of few parties for each of a million handovers. EXISTS would let PostgreSQL join them all.
// Of a party those without an end come first in the index, then the ended ones by their last version;
// the order asked for keeps PostgreSQL from walking the table.
const selectVisible = `WITH RECURSIVE reader(party) AS (
		SELECT min(party) FROM visibility WHERE rid = ?
		UNION ALL
		SELECT (SELECT min(w.party) FROM visibility w WHERE w.rid = ? AND w.party > reader.party) FROM reader WHERE reader.party IS NOT NULL)
	SELECT party, COALESCE(
			(SELECT w.until FROM visibility w WHERE w.rid = ? AND w.party = reader.party AND w.until = 0 AND w.since <= ? ORDER BY w.handover LIMIT 1),
			(SELECT w.until FROM visibility w WHERE w.rid = ? AND w.party = reader.party AND w.until >= ? AND w.since <= ? ORDER BY w.until DESC LIMIT 1), -1)
		FROM reader WHERE party IS NOT NULL ORDER BY party`

// withVisible adds to each version who may read it.
func withVisible(tx Tx, rows []resourceRow) ([]Resource, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	out := make([]Resource, len(rows))
	lists := make([][]any, len(rows))
	for i := range rows {
		rid, version := rows[i].rid, rows[i].Version
		out[i], lists[i] = rows[i].Resource, columnsOf(rid, rid, rid, version, rid, version, version)
	}
	err := tx.Query(selectVisible, func(i int, r Row) error {
		var party handover.PartyID
		var until int64
		err := r.Scan((*string)(&party), &until)
		if until < 0 {
			return err // another version
		}
		out[i].Visible = append(out[i].Visible, party)
		if until == out[i].Version {
			out[i].Last = append(out[i].Last, party)
		}
		return err
	}, lists...)
	return out, err
}
