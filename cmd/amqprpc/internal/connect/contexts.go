package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// Contexts are the brokers that a user has named. They are in a file that only the user can
// read, because the URLs have passwords.
type Contexts struct {
	Current string            `json:"current,omitempty"`
	URLs    map[string]string `json:"contexts"`

	path string
}

// contextName is what a context may be called.
var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

var errNoFolder = errors.New("contexts: there is no folder for the configuration of this user")

// Load reads the contexts. A file that does not exist has none.
func Load(e Environment) (*Contexts, error) {
	dir, err := e.ConfigDir()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoFolder, err)
	}
	c := &Contexts{path: filepath.Join(dir, "amqprpc", "contexts.json"), URLs: make(map[string]string)}
	data, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("contexts: %w", err)
	}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("contexts: %s is broken: %w; mend or delete it", c.path, err)
	}
	if c.URLs == nil {
		c.URLs = make(map[string]string)
	}
	return c, nil
}

// Path returns where the file is.
func (c *Contexts) Path() string { return c.path }

// Add adds a context, or changes its URL. The first one becomes the current one.
func (c *Contexts) Add(name, url string) error {
	if !contextName.MatchString(name) {
		return fmt.Errorf("contexts: %q is no name: use up to 64 letters, digits, dots, dashes and underscores", name)
	}
	if _, err := parse(url); err != nil {
		return err
	}
	c.URLs[name] = url
	if c.Current == "" {
		c.Current = name
	}
	return nil
}

// Use makes a context the current one.
func (c *Contexts) Use(name string) error {
	if _, err := c.url(name); err != nil {
		return err
	}
	c.Current = name
	return nil
}

// Remove removes a context. If it was the current one, there is none afterwards.
func (c *Contexts) Remove(name string) error {
	if _, err := c.url(name); err != nil {
		return err
	}
	delete(c.URLs, name)
	if c.Current == name {
		c.Current = ""
	}
	return nil
}

func (c *Contexts) url(name string) (string, error) {
	url, ok := c.URLs[name]
	if !ok {
		return "", fmt.Errorf("contexts: there is no context %.64q: `amqprpc context ls` lists them", name)
	}
	return url, nil
}

// Save writes the file. Readers see the old contexts or the new ones.
func (c *Contexts) Save() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("contexts: %w", err)
		}
	}()
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(c.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "contexts-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the renaming
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), c.path)
}
