package fhir

import "time"

// WriteMode says how the entries of a Write belong together.
type WriteMode string

// The write modes.
const (
	WriteSingle      WriteMode = "single"      // one interaction of the REST API
	WriteTransaction WriteMode = "transaction" // all entries or none (R4 3.1.0.11.2)
	WriteBatch       WriteMode = "batch"       // each entry by itself (R4 3.1.0.11.1)
)

// Write is a write as the REST API hands it to the gateway.
type Write struct {
	Mode    WriteMode
	Entries []WriteEntry
	// Raw is the body as it was received.
	Raw []byte
	// Identity tells a repeat: X-Request-Id or Bundle.identifier; may be empty.
	Identity string
	// Base is this server's absolute URL, as the caller writes it; empty where it is not known.
	Base string
	// Correlation joins the write's answer, log lines and record.
	Correlation string
}

// WriteEntry is one interaction of a Write.
type WriteEntry struct {
	// Method is POST, PUT, DELETE or GET.
	Method string
	// Type and ID name the target; ID is empty for a create and a conditional interaction.
	Type, ID string
	// FullURL is Bundle.entry.fullUrl, by which other entries refer to this one.
	FullURL string
	// IfMatch is the version expected; 0 for none.
	IfMatch int64
	// IfNoneExist is the query of a conditional create, without "?".
	IfNoneExist string
	Resource    *Node
	// Query is the query of a conditional update or delete, or of a GET, without "?".
	Query string
}

// Condition is the query that says which resource a conditional create, update or delete is
// about; empty for every other entry.
func (e WriteEntry) Condition() string {
	switch {
	case e.Method == "POST" && e.ID == "":
		return e.IfNoneExist
	case e.Method != "GET" && e.ID == "":
		return e.Query
	}
	return ""
}

// WriteResult is what became of a Write.
type WriteResult struct {
	// Status is the HTTP status of the whole.
	Status  int
	Entries []EntryResult
}

// EntryResult is what became of one entry.
type EntryResult struct {
	Status   int
	Type, ID string
	Version  int64
	At       time.Time
	// JSON is the resource as it is stored.
	JSON    []byte
	Created bool
	// Fault is why an entry of a batch failed; nil when it did not.
	Fault error
	// Notice is what the caller should know of a write that went well; empty for nothing.
	Notice string
}

// Version is one stored version of a resource, as read.
type Version struct {
	Type, ID string
	Version  int64
	At       time.Time
	JSON     []byte
	Deleted  bool
}

// VersionPage is a page of versions.
type VersionPage struct {
	Versions []Version
	// Next is the opaque position of the next page; empty at the end.
	Next string
	// Total is the number of all matches; -1 when it is not known.
	Total int
}
