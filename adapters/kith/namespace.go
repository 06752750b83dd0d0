package kith

// The namespaces that code here names; the others stand in the tables below.
const (
	nsMsgHead   = "http://www.kith.no/xmlstds/msghead/2006-05-24"
	nsAppRec10  = "http://www.kith.no/xmlstds/apprec/2004-11-21"
	nsAppRec11  = "http://www.kith.no/xmlstds/apprec/2012-02-15"
	nsBase64    = "http://www.kith.no/xmlstds/base64container"
	nsSignature = "http://www.w3.org/2000/09/xmldsig#"

	xmlstds = "http://www.kith.no/xmlstds/"
	po15    = xmlstds + "po/poKomponent/2009-06-30"
	po16    = xmlstds + "po/poKomponent/2012-04-01"
)

// body describes the namespace of a message's document element or first document.
type body struct {
	// version is how Envelope.Version spells it.
	version string
	// appRec is the version of the receipts on it (HITS 1168:2016 section 8.3).
	appRec string
	// prefix is what its own elements carry when component is the default namespace.
	prefix, component string
}

// bodies are the messages that are known. A body in
// another namespace is a message format that we do not take.
var bodies = map[string]body{
	xmlstds + "po/Pasientlogistikk/2009-06-30":                 {"pasientlogistikk 1.5", nsAppRec10, "p1", po15},
	xmlstds + "po/Pasientlogistikk/2012-04-01":                 {"pasientlogistikk 1.6", nsAppRec11, "p1", po16},
	xmlstds + "po/HelseopplysningerVedSoknad/2009-06-30":       {"helseopplysninger 1.5", nsAppRec10, "h1", po15},
	xmlstds + "po/HelseopplysningerVedSoknad/2012-04-01":       {"helseopplysninger 1.6", nsAppRec11, "h1", po16},
	xmlstds + "po/Innleggelsesrapport/2009-06-30":              {"innleggelsesrapport 1.5", nsAppRec10, "i1", po15},
	xmlstds + "po/Innleggelsesrapport/2012-04-01":              {"innleggelsesrapport 1.6", nsAppRec11, "i1", po16},
	xmlstds + "po/TverrfagligEpikrise/2009-06-30":              {"utskrivningsrapport 1.5", nsAppRec10, "t1", po15},
	xmlstds + "po/TverrfagligEpikrise/2012-04-01":              {"utskrivningsrapport 1.6", nsAppRec11, "t1", po16},
	xmlstds + "po/OrienteringOmTjenestetilbud/2009-06-30":      {"orientering 1.5", nsAppRec10, "o1", po15},
	xmlstds + "po/OrienteringOmTjenestetilbud/2012-04-01":      {"orientering 1.6", nsAppRec11, "o1", po16},
	xmlstds + "po/OverforingMedisinskeOpplysninger/2009-06-30": {"medisinske-opplysninger 1.5", nsAppRec10, "m1", po15},
	xmlstds + "po/MedisinskeOpplysninger/2012-04-01":           {"medisinske-opplysninger 1.6", nsAppRec11, "m1", po16},
	xmlstds + "po/Konsultasjon/2009-06-30":                     {"helseopplysninger-til-lege 1.5", nsAppRec10, "k1", po15},
	xmlstds + "po/HelseopplysningerTilLege/2012-04-01":         {"helseopplysninger-til-lege 1.6", nsAppRec11, "k1", po16},
	xmlstds + "po/MeldingFravar/2009-06-30":                    {"fravar 1.5", nsAppRec10, "f1", po15},
	xmlstds + "dialog/2006-10-11":                              {version: "dialog 1.0", appRec: nsAppRec10},
	xmlstds + "dialog/2013-01-23":                              {version: "dialog 1.1", appRec: nsAppRec11},
	xmlstds + "henvisning/2005-07-08":                          {version: "henvisning 1.0", appRec: nsAppRec10},
	xmlstds + "henvisning/2012-02-15":                          {version: "henvisning 1.1", appRec: nsAppRec11},
	"http://ehelse.no/xmlstds/henvisning/2017-11-30":           {"henvisning 2.0", nsAppRec11, "h2", "http://ehelse.no/xmlstds/po/poKomponent/2017-11-30"},
	xmlstds + "epikrise/2006-09-23":                            {version: "epikrise 1.1", appRec: nsAppRec10},
	xmlstds + "epikrise/2012-02-15":                            {version: "epikrise 1.2", appRec: nsAppRec11},
	nsAppRec10:                                                 {version: "apprec 1.0"},
	nsAppRec11:                                                 {version: "apprec 1.1"},
}

// prefixes are the namespaces that never become a default namespace.
var prefixes = map[string]string{
	xmlstds + "felleskomponent1":                "fk1",
	xmlstds[:len(xmlstds)-1]:                    "kith",
	xmlstds + "epj/epj1/2008-02-20":             "epj1",
	xmlstds + "epj/epj2/2008-02-20":             "epj2",
	xmlstds + "epj/epj3/2008-02-20":             "epj3",
	xmlstds + "epj/meta/2008-02-20":             "m1",
	nsSignature:                                 "ds",
	"http://www.w3.org/2001/XMLSchema-instance": "xsi",
	namespaceXML:                                "xml",
}

// receiptNamespace returns the AppRec that answers a message of the given
// Envelope.Version; 1.1 for one that is not known.
func receiptNamespace(version string) string {
	for _, b := range bodies {
		if b.version == version && b.appRec != "" {
			return b.appRec
		}
	}
	return nsAppRec11
}
