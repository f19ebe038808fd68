// A backend that gives tokens for Switchboard to its signed-in users. `../README.md` explains it. No dependencies: HS256 takes
// four lines, and every JWT library does the same.
package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// How long a token is valid. The SDK asks for the next one in time.
const tokenTTL = 10 * time.Minute

// One tab of one user.
var device = regexp.MustCompile(`^[a-z0-9]{8,32}$`)

// Session cookies of signed-in users.
var sessions = map[string]string{"session-of-alice": "alice", "session-of-bob": "bob"}

// YOUR LOGIN CHECK GOES HERE: the user whom the request's session proves, or "". Never a name that the page sends.
func signedInUser(request *http.Request) string {
	session, err := request.Cookie("session")
	if err != nil {
		return ""
	}
	return sessions[session.Value]
}

func sign(claims any, secret string) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	base64url := base64.RawURLEncoding.EncodeToString
	text := base64url([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64url(body)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64url(mac.Sum(nil)), nil
}

// Answers `GET /token?device=…`.
func token(secret string) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		response.Header().Set("Cache-Control", "no-store")
		user, tab := signedInUser(request), request.URL.Query().Get("device")
		switch {
		case user == "":
			http.Error(response, "sign in first", http.StatusUnauthorized)
			return
		case !device.MatchString(tab):
			http.Error(response, "device: 8 to 32 characters of a-z 0-9", http.StatusBadRequest)
			return
		}
		now := time.Now()
		signed, err := sign(map[string]any{
			"sub": user + "." + tab, "aud": "switchboard", "iat": now.Unix(), "exp": now.Add(tokenTTL).Unix(),
		}, secret)
		if err != nil {
			http.Error(response, "no token", http.StatusInternalServerError)
			return
		}
		response.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(response, signed)
	}
}

func main() {
	file := os.Getenv("SWITCHBOARD_SECRET_FILE")
	if file == "" {
		log.Fatal("set SWITCHBOARD_SECRET_FILE to the file with the secret that the nodes have")
	}
	secret, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "3000"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /token", token(strings.TrimRight(string(secret), "\r\n")))
	fmt.Printf("http://%s/token\n", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
