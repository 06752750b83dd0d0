package scenario

// What a FHIR party writes.

const fhirPatient = `{"resourceType":"Patient",{{ID}}"identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"{{NUMBER}}"}],` +
	`"name":[{"use":"official","family":"{{FAMILY}}","given":["{{GIVEN}}"]}],"gender":"female","birthDate":"{{BORN}}"}`

const fhirRequest = `{"resourceType":"ServiceRequest","status":"active","intent":"order","code":{"text":"Døgnrehabilitering"},"subject":{"reference":"{{PATIENT}}"}}`

const fhirTask = `{"resourceType":"Task","status":"requested","intent":"order","code":{"coding":[{"system":"urn:stafett:handover-kind","code":"referral"}]},` +
	`"for":{"reference":"{{PATIENT}}"},"focus":{"reference":"{{REQUEST}}"},` +
	`"requester":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"{{FROM}}"}},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"{{TO}}"}}}`

const fhirObservation = `{"resourceType":"Observation","status":"final","code":{"text":"Gangfunksjon"},{{ABOUT}}"subject":{"reference":"{{PATIENT}}"},"valueString":"{{WORDS}}"}`

const fhirEntry = `{"fullUrl":"{{URL}}","resource":{{RESOURCE}},"request":{"method":"POST","url":"{{TYPE}}"}}`

// fhirUpdate is an entry that writes over a version.
const fhirUpdate = `{"resource":{{RESOURCE}},"request":{"method":"PUT","url":"{{PATH}}","ifMatch":"{{VERSION}}"}}`

const fhirTransaction = `{"resourceType":"Bundle","type":"transaction","entry":[{{ENTRIES}}]}`
