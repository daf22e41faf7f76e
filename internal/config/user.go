package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/envdrift/envdrift/internal/lazy"
)

// A User is what the user decides for all repositories. No repository can: what
// is here gives rights to the files of a repository.
type User struct {
	Allow       []string      // names that env files may set though they are dangerous
	Store       Store         // where sync and pull keep keys
	TTL         time.Duration // how long StoreOS keeps a key; 0: until it is forgotten
	AllowAgents bool          // coding agents may read values
	Audit       bool          // uses of keys are logged
}

// A Store says where sync and pull keep the keys that they fetch.
type Store string

// The stores.
const (
	StoreFile Store = "file"  // the keys file beside the env file
	StoreOS   Store = "store" // the operating system's store of secrets
	StoreNone Store = "none"  // nowhere
)

// userSections are the sections of the user's file.
var userSections = [...]string{"exec", "keys", "agents", "audit"}

// UserFile returns the user's own configuration file: envdrift/config.toml in
// $XDG_CONFIG_HOME or ~/.config, on Windows in %AppData%; "" if no variable
// names a folder.
func UserFile(getenv func(string) string) string {
	dir := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) && runtime.GOOS == "windows" {
		dir = getenv("APPDATA")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(getenv("HOME"), ".config")
	}
	if !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "envdrift", "config.toml")
}

// LoadUser reads the user's own configuration file, which need not exist. Errors
// are those of [Load].
func LoadUser(getenv func(string) string) (User, error) {
	file := UserFile(getenv)
	if _, err := os.Stat(file); file == "" || errors.Is(err, fs.ErrNotExist) {
		return User{Store: StoreFile}, nil
	}
	data, err := read(file)
	if err != nil {
		return User{}, err
	}
	return ParseUser(file, data)
}

// ParseUser parses the content of the user's own configuration file. Errors are
// [*Error], joined in the order of the file.
func ParseUser(name string, data []byte) (u User, err error) {
	r := newReader(name, bytes.TrimPrefix(data, []byte("\ufeff")))
	top, err := r.decode()
	if err != nil {
		return u, err
	}
	t := &table{r: r, values: top}
	if e := t.section("exec"); e != nil {
		u.Allow = e.names("allow")
		e.rest()
	}
	u.Store = StoreFile
	if k := t.section("keys"); k != nil {
		u.Store = Store(k.oneOf("store", string(StoreFile), string(StoreFile), string(StoreOS), string(StoreNone)))
		if u.TTL = k.duration("ttl", 0); u.TTL > 0 && u.Store != StoreOS {
			k.fail("ttl", `needs store = "store": keys in files do not expire`, "")
		}
		k.rest()
	}
	if a := t.section("agents"); a != nil {
		u.AllowAgents = a.flag("allow", false)
		a.rest()
	}
	if a := t.section("audit"); a != nil {
		u.Audit = a.flag("enabled", false)
		a.rest()
	}
	t.rest()
	if err := r.join(); err != nil {
		return User{}, err
	}
	return u, nil
}

// refuseUserSections reports sections of the user's file in a repository's.
func (t *table) refuseUserSections() {
	for _, name := range userSections {
		if _, ok := t.take(name); ok {
			t.fail(name, "belongs in the user's own ~/.config/envdrift/config.toml: no repository may decide this", "")
		}
	}
}

var variableForm = lazy.Regexp(`^[A-Za-z_][A-Za-z0-9_]*$`)

// names reads a list of names of variables.
func (t *table) names(name string) []string {
	return t.strings(name, variableForm().MatchString, "is not the name of a variable")
}

// patterns reads a list of patterns for names of variables.
func (t *table) patterns(name string) []string {
	valid := func(s string) bool { return s != "" && doublestar.ValidatePattern(strings.TrimPrefix(s, "!")) }
	return t.strings(name, valid, "is not a pattern such as \"DB_*\"")
}

// allOf reads a list of which each is one of those allowed.
func (t *table) allOf(name string, allowed ...string) []string {
	return t.strings(name, func(s string) bool { return slices.Contains(allowed, s) }, "is none of "+strings.Join(allowed, ", "))
}

// strings reads a list of strings that are all valid.
func (t *table) strings(name string, valid func(string) bool, problem string) (list []string) {
	v, ok := t.take(name)
	if !ok {
		return nil
	}
	elements, ok := v.([]any)
	if !ok {
		t.fail(name, fmt.Sprintf("is %s, not a list", kind(v)), "")
	}
	for _, element := range elements {
		s, ok := element.(string)
		switch {
		case !ok:
			t.fail(name, fmt.Sprintf("holds %s, not only strings", kind(element)), "")
		case !valid(s):
			t.fail(name, fmt.Sprintf("%q %s", s, problem), "")
		default:
			list = append(list, s)
		}
	}
	return list
}
