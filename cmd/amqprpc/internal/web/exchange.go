package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

// maxBody is the largest body that the page takes, in bytes.
const maxBody = 4 << 20

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the browser is gone
}

// refuse answers a request that the page does not carry out.
func refuse(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]*invoke.Failure{"error": {Code: code, Message: message}})
}

// readJSON decodes the body of r into v. If it returns false, it has answered r.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	// Forms of other sites cannot send this type without asking first.
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "invalid_argument", "the content type must be application/json")
		return false
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(30 * time.Second)) // a recorder of a test has no deadlines
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	_ = rc.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, "resource_exhausted", fmt.Sprintf("the body is larger than %d bytes", maxBody))
	case err != nil:
		refuse(w, http.StatusBadRequest, "invalid_argument", "the body is no JSON of the expected form: "+err.Error())
	}
	return err == nil
}

// milliseconds has three digits behind the point, which every reader of JSON writes alike.
func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
