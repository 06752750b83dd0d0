package kith

import (
	"net/http"

	"stafett/handover"
)

// statuses is the one table from a fault to this wire's transport answer.
var statuses = map[handover.FaultKind]int{
	handover.FaultTemporary:           http.StatusServiceUnavailable,
	handover.FaultOverload:            http.StatusServiceUnavailable,
	handover.FaultTooLarge:            http.StatusRequestEntityTooLarge,
	handover.FaultMalformed:           http.StatusBadRequest,
	handover.FaultUnsupported:         http.StatusUnsupportedMediaType,
	handover.FaultInvalid:             http.StatusUnprocessableEntity,
	handover.FaultBadMessageID:        http.StatusUnprocessableEntity,
	handover.FaultPatientUnidentified: http.StatusUnprocessableEntity,
	handover.FaultSenderUnknown:       http.StatusForbidden,
	handover.FaultReceiverUnknown:     http.StatusUnprocessableEntity,
	handover.FaultServiceUnknown:      http.StatusUnprocessableEntity,
	handover.FaultNoRoute:             http.StatusUnprocessableEntity,
	handover.FaultUnauthenticated:     http.StatusUnauthorized,
	handover.FaultForbidden:           http.StatusForbidden,
	handover.FaultNotFound:            http.StatusNotFound,
	handover.FaultGone:                http.StatusGone,
	handover.FaultConflict:            http.StatusConflict,
	handover.FaultPrecondition:        http.StatusPreconditionFailed,
	// An event that is not allowed was read and is kept for a person: never refused here.
	handover.FaultIllegal:   http.StatusAccepted,
	handover.FaultUnmapped:  http.StatusUnprocessableEntity,
	handover.FaultAmbiguous: http.StatusUnprocessableEntity,
	handover.FaultUnknown:   http.StatusServiceUnavailable,
}

// HTTPStatus returns the transport answer to a fault: 202 for nil, 4xx where sending the
// same bytes again is no use, 503 where it may be. A message that is parked was stored:
// its fault is not told here.
func HTTPStatus(fault *handover.Fault) int {
	if fault == nil {
		return http.StatusAccepted
	}
	if status, ok := statuses[fault.Kind]; ok {
		return status
	}
	return http.StatusServiceUnavailable
}
