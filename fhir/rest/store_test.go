package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"stafett/access"
	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/handover"
)

// store is a Writer, Reader and Refuser in memory that keeps their contracts: versions,
// visibility by author, conditional creates, replays. What a Task means it does not know.
type store struct {
	mu       sync.Mutex
	now      func() time.Time
	versions []stored // oldest first
	next     int
	first    map[string]fhir.WriteResult
	refused  []handover.FaultKind
	writes   []fhir.Write
	// fail, when set, is the answer to everything.
	fail   error
	panics any
}

type stored struct {
	fhir.Version
	author handover.PartyID
}

func newStore() *store {
	return &store{first: map[string]fhir.WriteResult{}, now: func() time.Time { return clock }}
}

var clock = time.Date(2026, 3, 2, 8, 30, 15, 250_000_000, time.UTC)

func (s *store) failing() error {
	if s.panics != nil {
		panic(s.panics)
	}
	return s.fail
}

func (s *store) Refuse(_ context.Context, _ access.Caller, _ []byte, f *handover.Fault) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing(); err != nil {
		return err
	}
	s.refused = append(s.refused, f.Kind)
	return f
}

func (s *store) Write(_ context.Context, c access.Caller, w fhir.Write) (fhir.WriteResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing(); err != nil {
		return fhir.WriteResult{}, err
	}
	s.writes = append(s.writes, w)
	key := string(c.Party) + "\n" + w.Identity + "\n" + string(w.Raw)
	if first, ok := s.first[key]; ok && w.Identity != "" {
		return first, nil
	}
	res := fhir.WriteResult{Status: http.StatusOK}
	before := len(s.versions)
	for i := range w.Entries {
		e, err := s.entry(c, w.Entries[i])
		if err != nil && w.Mode != fhir.WriteBatch {
			s.versions = s.versions[:before]
			return fhir.WriteResult{}, err
		}
		e.Fault = err
		res.Entries = append(res.Entries, e)
	}
	if w.Identity != "" {
		s.first[key] = res
	}
	return res, nil
}

func fault(kind handover.FaultKind, text string) error {
	return &handover.Fault{Kind: kind, Op: "store", Text: text}
}

func (s *store) entry(c access.Caller, e fhir.WriteEntry) (fhir.EntryResult, error) {
	if e.Method == http.MethodPost && e.IfNoneExist != "" {
		if v, ok := s.matching(c, e.Type, e.IfNoneExist); ok {
			return fhir.EntryResult{Status: 200, Type: v.Type, ID: v.ID, Version: v.Version.Version, At: v.At, JSON: v.JSON}, nil
		}
	}
	if e.Method == http.MethodPost {
		s.next++
		e.ID = "n" + strconv.Itoa(s.next)
	}
	current, exists := s.current(e.Type, e.ID)
	if exists && current.author != c.Party {
		return fhir.EntryResult{}, fault(handover.FaultForbidden, "only the author changes this resource")
	}
	if e.IfMatch != 0 && e.IfMatch != current.Version.Version {
		return fhir.EntryResult{}, fault(handover.FaultPrecondition, "the current version is not the one in If-Match")
	}
	v := stored{fhir.Version{Type: e.Type, ID: e.ID, Version: current.Version.Version + 1, At: s.now()}, c.Party}
	if e.Method == http.MethodDelete {
		if !exists {
			return fhir.EntryResult{Status: 204, Type: e.Type, ID: e.ID}, nil
		}
		v.Deleted = true
		s.versions = append(s.versions, v)
		return fhir.EntryResult{Type: e.Type, ID: e.ID, Version: v.Version.Version, At: v.At}, nil
	}
	n := e.Resource.Clone()
	if n.ID() != e.ID {
		n.Set("id", fhir.Str(e.ID))
	}
	v.JSON = n.JSON()
	s.versions = append(s.versions, v)
	return fhir.EntryResult{Type: e.Type, ID: e.ID, Version: v.Version.Version, At: v.At, JSON: v.JSON, Created: v.Version.Version == 1}, nil
}

func (s *store) matching(c access.Caller, typ, query string) (stored, bool) {
	_, value, _ := strings.Cut(query, "=")
	for _, v := range s.versions {
		if v.Type == typ && v.author == c.Party && strings.Contains(string(v.JSON), `"`+value+`"`) {
			return v, true
		}
	}
	return stored{}, false
}

func (s *store) current(typ, id string) (stored, bool) {
	for _, v := range slices.Backward(s.versions) {
		if v.Type == typ && v.ID == id {
			return v, true
		}
	}
	return stored{}, false
}

func (s *store) Read(_ context.Context, c access.Caller, typ, id string) (fhir.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing(); err != nil {
		return fhir.Version{}, err
	}
	v, ok := s.current(typ, id)
	if !ok {
		return fhir.Version{}, fault(handover.FaultNotFound, "no such "+typ)
	}
	return v.Version, access.MayRead(c, []handover.PartyID{v.author})
}

func (s *store) ReadVersion(ctx context.Context, c access.Caller, typ, id string, version int64) (fhir.Version, error) {
	if _, err := s.Read(ctx, c, typ, id); err != nil {
		return fhir.Version{}, err
	}
	for _, v := range s.versions {
		if v.Type == typ && v.ID == id && v.Version.Version == version {
			return v.Version, nil
		}
	}
	return fhir.Version{}, fault(handover.FaultNotFound, "no such version")
}

func (s *store) History(ctx context.Context, c access.Caller, typ, id string, count int, before string) (fhir.VersionPage, error) {
	if id != "" {
		if _, err := s.Read(ctx, c, typ, id); err != nil {
			return fhir.VersionPage{}, err
		}
	} else if s.failing() != nil {
		return fhir.VersionPage{}, s.fail
	}
	var all []fhir.Version
	for _, v := range slices.Backward(s.versions) {
		if v.author == c.Party && (typ == "" || v.Type == typ) && (id == "" || v.ID == id) {
			all = append(all, v.Version)
		}
	}
	return page(all, count, before)
}

func (s *store) Search(_ context.Context, c access.Caller, q search.Query) (fhir.VersionPage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing(); err != nil {
		return fhir.VersionPage{}, err
	}
	var all []fhir.Version
	for _, v := range s.versions {
		if now, _ := s.current(v.Type, v.ID); v.Type != q.Type || v.author != c.Party || v.Deleted || now.Version.Version != v.Version.Version {
			continue
		}
		if matches(v, q) {
			all = append(all, v.Version)
		}
	}
	return page(all, q.Count, q.After)
}

func matches(v stored, q search.Query) bool {
	for _, clause := range q.Clauses {
		hit := false
		for _, value := range clause.Values {
			hit = hit || strings.Contains(string(v.JSON), `"`+value.Value+`"`)
		}
		if !hit {
			return false
		}
	}
	return true
}

func page(all []fhir.Version, count int, after string) (fhir.VersionPage, error) {
	from := 0
	if after != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(after, "c|&"))
		if err != nil || n > len(all) {
			return fhir.VersionPage{}, fault(handover.FaultInvalid, "the position is not one of ours")
		}
		from = n
	}
	p := fhir.VersionPage{Total: len(all)}
	to := min(from+count, len(all))
	if p.Versions = all[from:to]; to < len(all) {
		p.Next = fmt.Sprintf("c|&%d", to)
	}
	return p, nil
}
