package docstore

import (
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// MongoDB's error codes, as far as they are answered here.
// Source: https://www.mongodb.com/docs/manual/reference/error-codes/
const (
	codeInternalError              = 1
	codeBadValue                   = 2
	codeFailedToParse              = 9
	codeInvalidLength              = 21
	codeUnauthorized               = 13
	codeTypeMismatch               = 14
	codeOverflow                   = 15
	codeIllegalOperation           = 20
	codeNamespaceNotFound          = 26
	codeIndexNotFound              = 27
	codePathNotViable              = 28
	codeConflictingUpdateOperators = 40
	codeCursorNotFound             = 43
	codeNamespaceExists            = 48
	codeMaxTimeMSExpired           = 50
	codeDollarPrefixedFieldName    = 52
	codeInvalidIDField             = 53
	codeNotSingleValueField        = 54
	codeEmptyFieldName             = 56
	codeCommandNotFound            = 59
	codeImmutableField             = 66
	codeCannotCreateIndex          = 67
	codeInvalidOptions             = 72
	codeInvalidNamespace           = 73
	codeIndexOptionsConflict       = 85
	codeIndexKeySpecsConflict      = 86
	codeCommandNotSupported        = 115
	codeNotAReplicaSet             = 123
	codeInvalidPipelineOperator    = 168
	codeCannotIndexParallelArrays  = 171
	codeQueryPlanKilled            = 175
	codeInvalidIndexOption         = 197
	codeMemoryLimit                = 292
	codeAPIVersionError            = 322
	codeUnsupportedOpQuery         = 352
	codeObjectTooLarge             = 10334
	codeDuplicateKey               = 11000
	codeUnknownGroupOperator       = 15952
	codeBadSortOrder               = 15975
	codeMissingGroupID             = 15955
	codeUndefinedVariable          = 17276
	codeKeyTooLong                 = 17280
	codeResultTooLarge             = 17217
	codeUpdateTooLarge             = 17419
	codeOutOfDiskSpace             = 14031
	codePathCollision              = 31249
	codeInclusionInExclusion       = 31253
	codeExclusionInInclusion       = 31254
	codeBadCountField              = 40156
	codeStageFields                = 40323
	codeUnknownStage               = 40324
	codeDuplicateField             = 40413
	codeMissingField               = 40414
	codeUnknownField               = 40415
	codeNoDatabase                 = 40571
	codeOutOfRange                 = 51024
	codeAlreadyInitialized         = 23
	codeWriteConcernFailed         = 64
	codeNoReplicationEnabled       = 76
	codeInterruptedAtShutdown      = 11600
	codeInvalidSetConfig           = 93
	codeNotYetInitialized          = 94
	codeUnsatisfiableConcern       = 100
	codeTransactionTooOld          = 225
	codeTooManySessions            = 261
	codeExceededTimeLimit          = 262
	codeNotWritablePrimary         = 10107
	codeInterruptedByStepDown      = 11602
	codeNotPrimaryNoSecondaryOk    = 13435
	codeNotPrimaryOrSecondary      = 13436
	codePipelineTooLong            = 7749501
	codeEmptySort                  = 15976
	codeEmptyProject               = 51272
	codeStageNotObject             = 15959
	codeBadSlice                   = 15958
	codeBadGroupField              = 40235
	codeNoAccumulator              = 40234
	codeManyAccumulators           = 40238
	codeUnaryAccumulator           = 40237
)

// codeNames are the names that drivers show next to a code. It never changes.
var codeNames = map[int32]string{
	codeInternalError:              "InternalError",
	codeAlreadyInitialized:         "AlreadyInitialized",
	codeWriteConcernFailed:         "WriteConcernFailed",
	codeNoReplicationEnabled:       "NoReplicationEnabled",
	codeInterruptedAtShutdown:      "InterruptedAtShutdown",
	codeInvalidSetConfig:           "InvalidReplicaSetConfig",
	codeNotYetInitialized:          "NotYetInitialized",
	codeUnsatisfiableConcern:       "UnsatisfiableWriteConcern",
	codeTransactionTooOld:          "TransactionTooOld",
	codeTooManySessions:            "TooManyLogicalSessions",
	codeExceededTimeLimit:          "ExceededTimeLimit",
	codeNotWritablePrimary:         "NotWritablePrimary",
	codeInterruptedByStepDown:      "InterruptedDueToReplStateChange",
	codeNotPrimaryNoSecondaryOk:    "NotPrimaryNoSecondaryOk",
	codeNotPrimaryOrSecondary:      "NotPrimaryOrSecondary",
	codeOutOfDiskSpace:             "OutOfDiskSpace",
	codeBadValue:                   "BadValue",
	codeInvalidLength:              "InvalidLength",
	codeFailedToParse:              "FailedToParse",
	codeUnauthorized:               "Unauthorized",
	codeTypeMismatch:               "TypeMismatch",
	codeOverflow:                   "Overflow",
	codeIllegalOperation:           "IllegalOperation",
	codeNamespaceNotFound:          "NamespaceNotFound",
	codeIndexNotFound:              "IndexNotFound",
	codePathNotViable:              "PathNotViable",
	codeConflictingUpdateOperators: "ConflictingUpdateOperators",
	codeCursorNotFound:             "CursorNotFound",
	codeNamespaceExists:            "NamespaceExists",
	codeMaxTimeMSExpired:           "MaxTimeMSExpired",
	codeDollarPrefixedFieldName:    "DollarPrefixedFieldName",
	codeInvalidIDField:             "InvalidIdField",
	codeNotSingleValueField:        "NotSingleValueField",
	codeEmptyFieldName:             "EmptyFieldName",
	codeCommandNotFound:            "CommandNotFound",
	codeImmutableField:             "ImmutableField",
	codeCannotCreateIndex:          "CannotCreateIndex",
	codeInvalidOptions:             "InvalidOptions",
	codeInvalidNamespace:           "InvalidNamespace",
	codeIndexOptionsConflict:       "IndexOptionsConflict",
	codeIndexKeySpecsConflict:      "IndexKeySpecsConflict",
	codeCommandNotSupported:        "CommandNotSupported",
	codeNotAReplicaSet:             "NotAReplicaSet",
	codeInvalidPipelineOperator:    "InvalidPipelineOperator",
	codeCannotIndexParallelArrays:  "CannotIndexParallelArrays",
	codeQueryPlanKilled:            "QueryPlanKilled",
	codeInvalidIndexOption:         "InvalidIndexSpecificationOption",
	codeMemoryLimit:                "QueryExceededMemoryLimitNoDiskUseAllowed",
	codeAPIVersionError:            "APIVersionError",
	codeUnsupportedOpQuery:         "UnsupportedOpQueryCommand",
	codeObjectTooLarge:             "BSONObjectTooLarge",
	codeDuplicateKey:               "DuplicateKey",
	codeKeyTooLong:                 "KeyTooLong",
	codeDuplicateField:             "IDLDuplicateField",
	codeMissingField:               "IDLFailedToParse",
	codeUnknownField:               "IDLUnknownField",
}

// codeName is the name of a code. Codes that MongoDB itself has not named are
// called Location and the code, as it does.
func codeName(code int32) string {
	if name, ok := codeNames[code]; ok {
		return name
	}
	return fmt.Sprintf("Location%d", code)
}

// commandError is an error as it goes to the client: the answer to a command,
// or one write error within an answer. Its text is MongoDB's where MongoDB has
// the same error, capitals included, because applications match on it.
type commandError struct {
	code   int32
	msg    string
	extra  bson.D // keyPattern and keyValue of a duplicate key
	labels bson.A // errorLabels: what drivers may do about it
}

// Error gives the code's name and the text.
func (e *commandError) Error() string { return codeName(e.code) + ": " + e.msg }

// maxText bounds an error's text, which may show a value of the client's.
const maxText = 64 << 10

// fail makes a commandError.
func fail(code int32, format string, args ...any) *commandError {
	msg := fmt.Sprintf(format, args...)
	if len(msg) > maxText {
		msg = strings.ToValidUTF8(msg[:maxText], "") + "…"
	}
	return &commandError{code: code, msg: msg}
}

// asCommandError turns any error into one for the client. What is not a
// commandError is a failure of the storage.
func asCommandError(err error) *commandError {
	var ce *commandError
	if errors.As(err, &ce) {
		return ce
	}
	if errors.Is(err, errFull) {
		return fail(codeOutOfDiskSpace, "%v", err)
	}
	return fail(codeInternalError, "%v", err)
}

// document is the error as the answer to a command.
func (e *commandError) document() bson.D {
	d := bson.D{
		{Key: "ok", Value: 0.0},
		{Key: "errmsg", Value: e.msg},
		{Key: "code", Value: e.code},
		{Key: "codeName", Value: codeName(e.code)},
	}
	if len(e.labels) > 0 {
		d = append(d, bson.E{Key: "errorLabels", Value: e.labels})
	}
	return append(d, e.extra...)
}

// writeError is the error of statement i within the answer to a write command.
// A brief one has no text.
func (e *commandError) writeError(i int, brief bool) bson.D {
	if brief {
		return bson.D{{Key: "index", Value: int32(i)}, {Key: "code", Value: e.code}, {Key: "errmsg", Value: ""}}
	}
	d := bson.D{{Key: "index", Value: int32(i)}, {Key: "code", Value: e.code}}
	d = append(d, e.extra...)
	return append(d, bson.E{Key: "errmsg", Value: e.msg})
}
