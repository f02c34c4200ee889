package amqptest

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"maps"
	"regexp"
	"slices"
)

// account is a user of the broker.
type account struct {
	name     string
	password string
	hashed   *hashedPassword // instead of the password, from a definitions file
	tags     []string

	// What the user may do, by virtual host. Where there is no entry, everywhere decides,
	// and if that is nil too the user may do all, or nothing if it is a stranger.
	in         map[string]*permissions
	everywhere *permissions
	stranger   bool
}

// hashedPassword is a salt of four bytes and a hash of the salt and the password
// (https://www.rabbitmq.com/docs/passwords).
type hashedPassword struct {
	salt, sum []byte
	hash      func() hash.Hash
}

func newHashedPassword(algorithm string, b []byte) (*hashedPassword, error) {
	algorithms := map[string]func() hash.Hash{
		"":                               sha256.New,
		"rabbit_password_hashing_sha256": sha256.New,
		"rabbit_password_hashing_sha512": sha512.New,
		"rabbit_password_hashing_md5":    md5.New,
	}
	h, ok := algorithms[algorithm]
	if !ok {
		return nil, fmt.Errorf("unknown hashing algorithm %q", algorithm)
	}
	const salt = 4
	if len(b) != salt+h().Size() {
		return nil, errors.New("a password hash of the wrong length")
	}
	return &hashedPassword{b[:salt], b[salt:], h}, nil
}

// knows reports whether password is the user's.
func (a *account) knows(password string) bool {
	if a.hashed == nil {
		return a.password != "" && subtle.ConstantTimeCompare([]byte(a.password), []byte(password)) == 1
	}
	h := a.hashed.hash()
	h.Write(a.hashed.salt)
	h.Write([]byte(password))
	return subtle.ConstantTimeCompare(h.Sum(nil), a.hashed.sum) == 1
}

// enter is what the user may do in a virtual host, nil for all; false if it may not enter.
func (a *account) enter(vhost string) (*permissions, bool) {
	if p, ok := a.in[vhost]; ok {
		return p, p != noPermissions
	}
	return a.everywhere, a.everywhere != nil || !a.stranger
}

// UserInfo describes a user.
type UserInfo struct {
	Name string
	Tags []string // administrator, management and the like; they mean something to the management API alone
}

// Users returns all users, by name.
func (b *Broker) Users() []UserInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []UserInfo
	for _, name := range slices.Sorted(maps.Keys(b.users)) {
		all = append(all, UserInfo{Name: name, Tags: slices.Clone(b.users[name].tags)})
	}
	return all
}

// Authenticate reports whether there is a user of that name with that password.
func (b *Broker) Authenticate(name, password string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.users[name]
	return a != nil && a.knows(password)
}

// SetUser adds a user, or changes the password and the tags of one. As in RabbitMQ, a new
// user has no permissions before [Broker.SetPermissions]. A user of [WithUser] has all.
func (b *Broker) SetUser(name, password string, tags ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.stranger(name)
	a.password, a.hashed, a.tags = password, nil, slices.Clone(tags)
}

// stranger is the user of that name, made if there is none.
func (b *Broker) stranger(name string) *account {
	a := b.users[name]
	if a == nil {
		a = &account{name: name, stranger: true, in: make(map[string]*permissions)}
		b.users[name] = a
	}
	return a
}

// DeleteUser removes a user and closes its connections, as RabbitMQ does. It reports
// whether there was one.
func (b *Broker) DeleteUser(name string) bool {
	b.lock()
	defer b.release()
	if b.users[name] == nil {
		return false
	}
	delete(b.users, name)
	b.closeConnections(fmt.Sprintf("user '%s' is deleted", name), func(c *connection) bool { return c.user == name })
	return true
}

// closeConnections tells some open connections 320 CONNECTION_FORCED.
func (b *Broker) closeConnections(text string, which func(*connection) bool) {
	for c := range b.conns {
		if c.is(running) && which(c) {
			c.raise(0, fail(connectionForced, "%s", text).silent())
		}
	}
}

// ErrNotFound says that there is no user or virtual host of that name.
var ErrNotFound = errors.New("amqptest: not found")

// SetPermissions sets the permissions of a user in a virtual host, with the expressions of
// [WithPermissions]. They apply from the next operation on, on open connections too. The
// error is [ErrNotFound], or that of an expression that does not compile.
func (b *Broker) SetPermissions(vhost, user, configure, write, read string) error {
	p, err := newPermissions(configure, write, read)
	if err != nil {
		return fmt.Errorf("amqptest: permissions of user %q: %w", user, err)
	}
	return b.permit(vhost, user, p)
}

// ClearPermissions removes the permissions of a user in a virtual host. The user cannot
// connect to it any more. Open connections stay open, but the broker refuses every operation
// that needs a permission. The error is [ErrNotFound].
func (b *Broker) ClearPermissions(vhost, user string) error {
	return b.permit(vhost, user, noPermissions)
}

func (b *Broker) permit(vhost, user string, p *permissions) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.users[user]
	if a == nil {
		return fmt.Errorf("%w: user %q", ErrNotFound, user)
	}
	if b.vhosts[vhost] == nil {
		return fmt.Errorf("%w: virtual host %q", ErrNotFound, vhost)
	}
	a.in[vhost] = p
	for c := range b.conns {
		if c.vhost != nil && c.vhost.name == vhost && c.user == user {
			c.permissions = p
		}
	}
	return nil
}

// PermissionInfo describes the permissions of a user in a virtual host.
type PermissionInfo struct {
	User, VHost            string
	Configure, Write, Read string // regular expressions
}

// Permissions returns all permissions, by user and virtual host.
func (b *Broker) Permissions() []PermissionInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []PermissionInfo
	for _, name := range slices.Sorted(maps.Keys(b.users)) {
		for _, vhost := range slices.Sorted(maps.Keys(b.vhosts)) {
			p, ok := b.users[name].enter(vhost)
			if !ok {
				continue
			}
			info := PermissionInfo{User: name, VHost: vhost, Configure: ".*", Write: ".*", Read: ".*"}
			if p != nil {
				info.Configure, info.Write, info.Read = p.configure.String(), p.write.String(), p.read.String()
			}
			all = append(all, info)
		}
	}
	return all
}

// noPermissions are those of a user who may not enter a virtual host.
var noPermissions = &permissions{nothing, nothing, nothing}

var nothing = regexp.MustCompile("^$")

func newPermissions(exprs ...string) (*permissions, error) {
	var compiled [3]*regexp.Regexp
	for i, expr := range exprs {
		if expr == "" {
			compiled[i] = nothing
			continue
		}
		var err error
		if compiled[i], err = regexp.Compile(expr); err != nil {
			return nil, err
		}
	}
	return &permissions{compiled[0], compiled[1], compiled[2]}, nil
}
