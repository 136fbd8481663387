package bank

// The kinds of upload.
const (
	UploadInsert = "insert"
	UploadCancel = "cancel"
)

// The states of an upload.
const (
	UploadPending = "pending"
	UploadRunning = "running"
	UploadDone    = "done"
	UploadFailed  = "failed" // the file could not be read to its end
)

// MaxUploadErrors is how many of an upload's errors are kept.
const MaxUploadErrors = 1000

// NewUpload answers an upload: POST /uploads/insert and /uploads/cancel.
type NewUpload struct {
	UploadID  string `json:"upload_id"` // the SHA-256 of the file, in hexadecimal
	OrgID     int64  `json:"org_id"`    // always 1
	UserID    int64  `json:"user_id"`   // always 1
	Name      string `json:"name"`
	CreatedAt int64  `json:"created_at"` // milliseconds
	S3Key     string `json:"s3_key"`
}

// Upload is an upload as it stands: GET /uploads/{upload_id}.
type Upload struct {
	NewUpload
	UpdatedAt       int64         `json:"updated_at"`
	TradesProcessed int64         `json:"trades_processed"`
	TradesSkipped   int64         `json:"trades_skipped"`
	Status          string        `json:"status"`
	Completed       bool          `json:"completed"`
	Errors          []UploadError `json:"errors"` // the first [MaxUploadErrors]
}

// UploadError says why a row was skipped.
type UploadError struct {
	Row     int64  `json:"row"` // from 1, the header not counted
	Type    string `json:"type"`
	Message string `json:"message"`
}
