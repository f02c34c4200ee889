package demo

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testchromium"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is what the demo prints.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	greeted chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	select {
	case <-o.greeted:
	default:
		close(o.greeted)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// open runs the demo until the test ends, and returns the address of its page.
func open(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &output{greeted: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, out, "127.0.0.1:0", "127.0.0.1:0") }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.Contains(t, out.String(), "The shop is closed.")
	})
	select {
	case <-out.greeted:
	case err := <-ended:
		require.NoError(t, err, "the demo has ended")
	}
	address := regexp.MustCompile(`http://\S+/`).FindString(out.String())
	require.NotEmpty(t, address, out)
	return address
}

// eval is short for the expressions of this file.
func eval(w *testchromium.Window, expression string) string {
	return testchromium.Eval[string](w, "String("+expression+")")
}

var widths = map[string]int{"desk": 1280, "phone": 375}

// A person opens the page, calls a method with good and with bad input, and sees the charts.
func TestCallInTheBrowser(t *testing.T) {
	t.Parallel()
	for name, width := range widths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := testchromium.Open(t, open(t), width, 900)
			w.Sees("3 services, 6 methods, 5 instances.")
			w.Sees("1.9.0-rc.1")
			w.Click("nav a.method", "orders.place")
			w.Sees("Places an order")
			require.Equal(t, "ada@example.com", eval(w, `document.querySelector('[data-path="/customer"]').value`))

			// The form and the JSON say the same.
			w.Click("button", "+ note")
			require.Equal(t, "/note", eval(w, "document.activeElement.dataset.path"), "the new field has the focus")
			w.Press("ring twice")
			w.Until(`JSON.parse(document.querySelector('textarea.grow').value).note === 'ring twice'`)
			w.Click("button", "Call")
			w.Sees("total_cents")
			w.Until(`document.querySelector('.timing-parts').innerText.includes('handler')`)

			set := func(path, value string) {
				eval(w, `((e) => { e.value = '`+value+`'; e.dispatchEvent(new Event('input')); })(document.querySelector('[data-path="`+path+`"]'))`)
			}
			// The schema forbids it: the field says so, and nothing is sent.
			set("/items/0/quantity", "1000")
			w.Click("button", "Call")
			w.Sees("The request was not sent.")
			w.Until(`document.activeElement.dataset.path === '/items/0/quantity' && document.activeElement.getAttribute('aria-invalid') === 'true'`)
			set("/items/0/quantity", "two")
			w.Click("button", "Call")
			w.Sees("This is no integer.")
			// The server forbids it, with details.
			set("/items/0/quantity", "12")
			w.Click("button", "Call")
			w.Sees("failed_precondition")
			w.Sees("Detail shortage")
			w.Sees("A handler has run and returned this error.")

			// The JSON changes the form, too.
			eval(w, `((e) => { e.value = '{"customer":"bob","items":[],"shipping":"pickup","gift":true}'; e.dispatchEvent(new Event('input')); })(document.querySelector('textarea.grow'))`)
			require.Equal(t, "true", eval(w, `document.querySelector('[data-path="/gift"]').checked`))
			w.Until(`document.querySelector('[role=tabpanel]').textContent.includes("amqprpc call orders.place '{\"customer\":\"bob\"")`)
			w.Click("[role=tab]", "Go")
			w.Until(`document.querySelector('[role=tabpanel]').textContent.includes('amqprpc.Call[json.RawMessage, json.RawMessage](ctx, cli, "orders.place"')`)
			w.Click("[role=tab]", "Python")
			w.Until(`document.querySelector('[role=tabpanel]').textContent.includes('basic_publish("", "orders.place"')`)

			w.Until(`/ok [1-9]/.test(document.querySelector('.plot').getAttribute('aria-label')) && document.querySelector('.plot path.line').getAttribute('d').includes('L')`)
			require.Equal(t, "true", eval(w, "document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the window")
		})
	}
}

// A person watches a stream, pauses it, goes on, and stops it.
func TestStreamInTheBrowser(t *testing.T) {
	t.Parallel()
	for name, width := range widths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := testchromium.Open(t, open(t)+"#/m/prices.watch", width, 900)
			w.Sees("Sends the prices")
			eval(w, `((e) => { e.value = '0'; e.dispatchEvent(new Event('input')); })(document.querySelector('[data-path="/interval_ms"]'))`)
			w.Click("button", "Start")
			received := `Number(/([\d,]+) received/.exec(document.body.innerText)[1].replaceAll(',', ''))`
			w.Until(received + " > 2000")
			w.Sees("of which the last 500 are kept")
			require.Equal(t, "500", eval(w, "document.querySelectorAll('.messages li').length"))

			w.Click("button", "Pause")
			w.Sees("Paused. The sender waits")
			// What is on its way still comes, and then nothing.
			still := testchromium.Eval[int](w, `new Promise((done) => { let last = -1; const look = () => { const n = `+received+`; if (n === last) done(n); else { last = n; setTimeout(look, 700); } }; look(); })`)
			w.Click("button", "Resume")
			w.Until(fmt.Sprintf("%s > %d + 500", received, still))
			w.Click("button", "Stop")
			w.Sees("You have stopped the stream")

			if name == "phone" {
				w.Click("a", "Overview")
			}
			w.Click("nav a[href='#/m/support.chat']", "")
			w.Sees("Talks with the support")
			w.Click("button", "Start")
			w.Sees("what can we do for you?")
			w.Click("button", "Send")
			w.Sees("It is on its way.")
			w.Click("button", "Finish")
			w.Sees("Goodbye.")
			w.Sees("Ended")

			eval(w, "location.hash = '#/m/inventory.import'")
			w.Sees("Takes a delivery")
			w.Click("button", "Start")
			w.Click("button", "Send")
			w.Sees("1 sent")
			w.Click("button", "Send")
			w.Sees("2 sent")
			w.Click("button", "Finish")
			w.Sees("by_warehouse")
			w.Until(`document.querySelector('.outcome').innerText.replaceAll(/\s/g, '').includes('"rows":2,"quantity":80')`)
		})
	}
}

// Everything works with the keyboard alone.
func TestKeyboardInTheBrowser(t *testing.T) {
	t.Parallel()
	w := testchromium.Open(t, open(t), 1280, 900)
	w.Sees("5 instances.")
	w.Press(testchromium.Tab)
	require.Equal(t, "Skip to the content", eval(w, "document.activeElement.textContent"))
	w.TabTo("e.type === 'search'")
	w.Press("orders.pl")
	w.Press(testchromium.Enter)
	w.Sees("Places an order")
	w.Until("document.activeElement.id === 'main'")
	w.TabTo(`e.dataset.path === '/customer'`)
	w.Press("bob@example.com")
	w.TabTo(`e.textContent === '+ add an item'`)
	w.Press(testchromium.Enter)
	w.Until(`document.activeElement.dataset.path === '/items/2'`)
	w.TabTo(`e.getAttribute('aria-label') === 'Remove items 3'`)
	w.Press(testchromium.Enter)
	w.Until(`document.activeElement.textContent === '+ add an item'`)
	w.TabTo(`e.textContent === 'Call'`)
	require.Equal(t, "true", eval(w, `getComputedStyle(document.activeElement).outlineStyle !== 'none'`), "the focus can be seen")
	w.Press(testchromium.Enter)
	w.Sees("total_cents")
	w.TabTo("e.getAttribute('role') === 'tab'")
	w.Press("\u0303") // ArrowRight
	w.Until(`document.activeElement.textContent === 'Go' && document.activeElement.getAttribute('aria-selected') === 'true'`)

	eval(w, "location.hash = '#/m/prices.watch'")
	w.Sees("Sends the prices")
	w.TabTo(`e.dataset.path === '/interval_ms'`)
	w.Press(testchromium.Enter, testchromium.Ctrl)
	w.Until("document.querySelectorAll('.messages li').length > 2")
	w.TabTo(`e.textContent === 'Pause'`)
	w.Press(testchromium.Enter)
	w.Sees("Paused.")
	w.Press(testchromium.Enter)
	w.Until("!document.body.innerText.includes('Paused.')")
	w.TabTo("e.classList.contains('messages')")

	// Every control has a name that a screen reader says.
	for _, page := range []string{"#/", "#/m/orders.place", "#/m/inventory.check", "#/m/support.chat", "#/m/some.queue"} {
		eval(w, "location.hash = '"+page+"'")
		w.Until("document.querySelector('h1')")
		require.Empty(t, eval(w, `[...document.querySelectorAll('input, select, textarea, button, a')].filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim())).map((e) => e.outerHTML).join('\n')`), page)
	}
}

// envPictures is a folder for the pictures of the documentation.
const envPictures = "AMQPRPC_PICTURES"

// TestPictures makes the pictures of docs/guide/web.md if the environment says where to.
func TestPictures(t *testing.T) {
	dir := os.Getenv(envPictures)
	if dir == "" {
		t.Skipf("%s names a folder, and the test writes the pictures there", envPictures)
	}
	page := open(t)
	desk, phone := testchromium.Open(t, page, 1280, 1400), testchromium.Open(t, page, 375, 812)
	desk.Sees("5 instances.")
	select { // the charts fill
	case <-time.After(45 * time.Second):
	case <-t.Context().Done():
	}
	eval(desk, "location.hash = '#/m/orders.find'")
	desk.Click("button", "Call")
	desk.Sees("total_cents")
	eval(phone, "location.hash = '#/m/prices.watch'")
	phone.Click("button", "Start")
	phone.Until("document.querySelectorAll('.messages li').length > 8")
	phone.Click("button", "Pause")
	phone.Sees("Paused.")
	eval(phone, "document.querySelector('.actions').scrollIntoView()")
	for name, w := range map[string]*testchromium.Window{"web-desk.png": desk, "web-phone.png": phone} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), w.Picture(), 0o644))
	}
}

// Addresses that are taken are named, with what to do.
func TestAddressTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	out := &output{greeted: make(chan struct{})}
	require.ErrorContains(t, run(t.Context(), out, l.Addr().String(), "127.0.0.1:0"), "--listen")
	require.ErrorContains(t, run(t.Context(), out, "127.0.0.1:0", l.Addr().String()), "--broker")
	require.ErrorContains(t, run(t.Context(), out, "0.0.0.0:0", "127.0.0.1:0"), "--token")
	require.Empty(t, out.String())
}
