package conformance

import (
	"bufio"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

// postOffice is an SMTP server that takes all mail, after it has once said that it is busy.
func postOffice(t testing.TB) (addr string, mails <-chan string) {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { l.Close() })
	ch := make(chan string, 16)
	go func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(time.Minute))
				r := bufio.NewReader(conn)
				say := func(s string) { fmt.Fprintf(conn, "%s\r\n", s) }
				say("220 here")
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					switch verb := strings.ToUpper(strings.TrimSpace(line)); {
					case strings.HasPrefix(verb, "MAIL") && n == 0:
						say("451 busy, come again")
					case verb == "DATA":
						say("354 go on")
						var text strings.Builder
						for {
							line, err := r.ReadString('\n')
							if err != nil {
								return
							}
							if line == ".\r\n" {
								break
							}
							text.WriteString(strings.TrimPrefix(line, "."))
						}
						say("250 taken")
						ch <- text.String()
					case verb == "QUIT":
						say("221 bye")
						return
					default:
						say("250 well")
					}
				}
			}()
		}
	}()
	return l.Addr().String(), ch
}

// With --smtp, a code also goes to its user by mail; a server that is busy is tried again.
func TestMail(t *testing.T) {
	t.Parallel()
	addr, mails := postOffice(t)
	s := start(t, "--smtp", "smtp://"+addr, "--mail-from", "Door <door@example.com>")
	c := cognito.NewFromConfig(s.config(t))
	_, client, _ := testPool(t, c, false)
	must(c.SignUp(t.Context(), &cognito.SignUpInput{ClientId: &client, Username: aws.String("jane"), Password: aws.String(password), UserAttributes: attrList("email", "jane@example.com")}))(t)
	var text string
	select {
	case text = <-mails:
	case <-time.After(time.Minute):
		t.Fatalf("no mail came:\n%s", s.gatehouse(t, "mail"))
	}
	m := must(mail.ReadMessage(strings.NewReader(text)))(t)
	same(t, "From, To", words(m.Header.Get("From"), m.Header.Get("To")), `"Door" <door@example.com> <jane@example.com>`)
	body := m.Body
	if strings.EqualFold(m.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(string(must(io.ReadAll(body))(t)))
	same(t, "the code in the mail", code, s.lastCode(t, "jane@example.com"))
	must(c.ConfirmSignUp(t.Context(), &cognito.ConfirmSignUpInput{ClientId: &client, Username: aws.String("jane"), ConfirmationCode: &code}))(t)
	eventually(t, 5*time.Second, func() string {
		if text := s.gatehouse(t, "mail"); !strings.Contains(text, "sent") {
			return text
		}
		return ""
	})
}
