// Package testchromium opens pages in a real Chromium without a window, for the tests of this
// module.
package testchromium

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// envChromium makes a missing Chromium a failure if its value is "require".
const envChromium = "AMQPRPC_CHROMIUM"

// patience is how long a test waits for what should happen soon.
const patience = 45 * time.Second

// Keys for Press.
const (
	Tab   = "\t"
	Enter = "\r"
	Ctrl  = chromedp.Modifier(2)
	Shift = chromedp.Modifier(8)
)

// Window is a tab of a Chromium of its own.
type Window struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

// Open starts Chromium with an empty profile and opens a page. The test fails if the page
// throws an error, or tries what its Content-Security-Policy forbids. Without Chromium, the
// test is skipped, or fails if AMQPRPC_CHROMIUM is "require".
func Open(t *testing.T, url string, width, height int) *Window {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv(envChromium) == "require" {
			require.FailNow(t, "no chromium", "%s=require: %v", envChromium, err)
		}
		t.Skipf("no chromium here (Debian's package chromium has it; %s=require makes this a failure): %v", envChromium, err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	ctx, closeTab := chromedp.NewContext(ctx)
	w := &Window{t: t, ctx: ctx}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // Chromium has ended when it returns
		closeTab()
		stop()
		cancel()
		w.mu.Lock()
		defer w.mu.Unlock()
		assert.Empty(t, w.faults, "the page has faults")
	})
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(int64(width), int64(height))))
	require.NoError(t, chromedp.Listen(ctx, w.notice))
	_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(url)))
	return w
}

func (w *Window) notice(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		w.faults = append(w.faults, text)
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" {
			w.faults = append(w.faults, e.Entry.Text)
		}
	}
}

// Forget forgets the faults so far, and returns them: for a test that causes some.
func (w *Window) Forget() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	faults := w.faults
	w.faults = nil
	return faults
}

// Eval evaluates an expression of JavaScript.
func Eval[T any](w *Window, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(w.t, err, expression)
	return v
}

// Until waits until an expression of JavaScript is true.
func (w *Window) Until(expression string) {
	w.t.Helper()
	script := fmt.Sprintf(`new Promise((done) => {
		const end = Date.now() + %d;
		const look = () => {
			let so = false;
			try { so = Boolean(%s); } catch { /* not yet */ }
			if (so || Date.now() > end) done(so ? '' : document.body.innerText); else setTimeout(look, 30);
		};
		look();
	})`, (patience - 5*time.Second).Milliseconds(), expression)
	if text := Eval[string](w, script); text != "" {
		w.shoot()
		require.FailNow(w.t, "it does not come", "%s\nThe page has this text:\n%s", expression, text)
	}
}

// shoot keeps a picture of a failure where the environment names a folder.
func (w *Window) shoot() {
	if dir := os.Getenv("AMQPRPC_CHROMIUM_PICTURES"); dir != "" {
		_ = os.WriteFile(dir+"/"+strings.ReplaceAll(w.t.Name(), "/", "-")+".png", w.Picture(), 0o600)
	}
}

// Sees waits for a text that a person can see.
func (w *Window) Sees(text string) {
	w.t.Helper()
	w.Until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

// Click clicks what has this selector, and this text if it is not empty.
func (w *Window) Click(selector, text string) {
	w.t.Helper()
	w.Until(fmt.Sprintf(`(() => {
		const found = [...document.querySelectorAll(%q)].find((e) => (%q === '' || e.textContent.trim() === %q) && e.checkVisibility() && !e.disabled);
		found?.click();
		return found;
	})()`, selector, text, text))
}

// Press presses a key, or types a text.
func (w *Window) Press(keys string, modifiers ...chromedp.Modifier) {
	w.t.Helper()
	require.NoError(w.t, chromedp.Do(w.ctx, chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...))))
}

// TabTo presses Tab until the focus is on what matches an expression about the element e.
func (w *Window) TabTo(expression string) {
	w.t.Helper()
	var seen []string
	for range 150 {
		w.Press(Tab)
		if Eval[bool](w, fmt.Sprintf("((e) => Boolean(%s))(document.activeElement)", expression)) {
			return
		}
		seen = append(seen, Eval[string](w, "document.activeElement.outerHTML.slice(0, 80)"))
	}
	require.FailNow(w.t, "Tab does not reach it", "%s, but\n%s", expression, strings.Join(seen, "\n"))
}

// Dark makes the browser prefer dark colours, or light ones.
func (w *Window) Dark(dark bool) {
	w.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[dark]
	_, err := chromedp.Call(w.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	require.NoError(w.t, err)
}

// Picture returns what the window shows, as PNG.
func (w *Window) Picture() []byte {
	w.t.Helper()
	png, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	require.NoError(w.t, err)
	return png
}
