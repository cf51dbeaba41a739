// Receives webhooks. Go 1.21 or later, no packages.
{% if scheme == Scheme::Unsigned %}//   go run receiver.go
{% else %}//   WEBHOOK_SECRET='the secret of the webhook' go run receiver.go
{% endif %}package main

import (
{% if scheme != Scheme::Unsigned %}	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
{% endif %}{% if scheme == Scheme::Token %}	"encoding/hex"
{% endif %}	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
{% if scheme == Scheme::Standard %}	"strconv"
{% endif %}{% if scheme != Scheme::Unsigned %}	"strings"
	"time"
{% endif %})
{% if scheme != Scheme::Unsigned %}
var secret = os.Getenv("WEBHOOK_SECRET")

func sum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}
{% endif %}{% if scheme == Scheme::Token %}
// x-webhook-secret is a JWT (HS256): made with our secret, fresh, and for exactly this body.
func verify(header http.Header, body []byte) bool {
	parts := strings.Split(header.Get("x-webhook-secret"), ".")
	if len(parts) != 3 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(signature, sum([]byte(secret), []byte(parts[0]+"."+parts[1]))) {
		return false
	}
	var claims struct {
		Exp        int64
		BodySha256 string
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return false
	}
	digest := sha256.Sum256(body)
	return claims.Exp+60 > time.Now().Unix() && claims.BodySha256 == hex.EncodeToString(digest[:])
}
{% else if scheme == Scheme::Standard %}
// Standard Webhooks: an HMAC of "id.timestamp.body", one for every secret that is valid now.
func verify(header http.Header, body []byte) bool {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		key, _ = base64.StdEncoding.DecodeString(encoded)
	}
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	expected := sum(key, []byte(id+"."+timestamp+"."), body)
	for _, one := range strings.Split(header.Get("webhook-signature"), " ") {
		signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(one, "v1,"))
		if err == nil && hmac.Equal(signature, expected) {
			return true
		}
	}
	return false
}
{% endif %}
func receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
{% if scheme != Scheme::Unsigned %}	if !verify(r.Header, body) {
		http.Error(w, "not signed with our secret", http.StatusUnauthorized)
		return
	}
{% endif %}	var event struct{ EventKey string }
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	// An event can come more than once, always with the same webhook-id: pass over what you have done already.
	log.Println(r.Header.Get("webhook-id"), event.EventKey)
}

func main() {
{% if scheme != Scheme::Unsigned %}	if secret == "" {
		log.Fatal("WEBHOOK_SECRET is not set")
	}
{% endif %}	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	log.Fatal(http.ListenAndServe(":"+port, http.HandlerFunc(receive)))
}
