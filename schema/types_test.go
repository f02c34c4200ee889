package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

//lint:file-ignore SA5008 what odd tags mean is part of the test

// The Go types of the tests.

type (
	age    int8
	level  string
	names  []string
	scores map[level]age
	pairOf [2]bool
	digits json.Number
	loop   *loop
	nested []nested
	byName map[string]byName
	bytes2 []byte
	octet  byte
)

type tagged struct {
	Plain    string
	Renamed  string `json:"other"`
	Skipped  func() `json:"-"`
	Dash     string `json:"-,"`
	Option   string `json:",omitempty"`
	Strange  string `json:"a.b/c d"`
	Invalid  string `json:"quote\"d"`
	Unicode  string `json:"größe"`
	_        chan int
	internal chan int //lint:ignore U1000 encoding/json ignores it
}

type omitting struct {
	Bool   bool           `json:"bool,omitempty"`
	Slice  []int          `json:"slice,omitempty"`
	Map    map[string]int `json:"map,omitempty"`
	Ptr    *int           `json:"ptr,omitempty"`
	Any    any            `json:"any,omitempty"`
	Struct struct{}       `json:"struct,omitempty"`
	Time   time.Time      `json:"time,omitzero"`
	Both   int            `json:"both,omitempty,omitzero"`
}

type quoted struct {
	Bool    bool          `json:",string"`
	Int     int64         `json:",string"`
	Uint    uint8         `json:",string"`
	Float   float64       `json:",string"`
	Float32 float32       `json:",string"`
	String  string        `json:",string"`
	Named   age           `json:",string"`
	Ptr     *int          `json:",string"`
	Number  json.Number   `json:",string"`
	Wait    time.Duration `json:",string"`
	Ignored []int         `json:",string"` // not a scalar, so the option has no effect
	Deep    **int         `json:",string"` // as before
	Own     colour        `json:",string"` // as before
}

type base struct {
	ID      string `json:"id"`
	Version int
}

type Public struct{ Shown bool }

type embedding struct {
	base
	*Public
	inner   `json:"named"`
	Version string // hides base's Version
}

type inner struct{ Inside int }

// ambiguous embeds two fields with the same name. Neither counts unless a tag decides.
type ambiguous struct {
	left
	right
}

type left struct {
	Same int
	Wins string `json:"Won"`
}

type right struct {
	Same int
	Won  int
}

// diamond embeds one struct twice at one level, and once more below.
type diamond struct {
	viaLeft
	viaRight
	Own int
}

type viaLeft struct{ base }

type viaRight struct{ base }

// hidden embeds a pointer to a struct that encoding/json cannot make.
type hidden struct{ *base }

// recursive embeds a pointer to itself.
type recursive struct {
	*recursive
	Name string
}

type tree struct {
	Value    int              `json:"value"`
	Children []*tree          `json:"children,omitempty"`
	ByName   map[string]*tree `json:"by_name,omitempty"`
}

type page[T any] struct {
	Items []T        `json:"items"`
	Next  *page[T]   `json:"next,omitempty"`
	First pair[T, T] `json:"first"`
}

type pair[A, B any] struct {
	A A
	B B
}

// celsius writes itself as text; its methods have pointer and value receivers.
type celsius float64

func (c celsius) MarshalText() ([]byte, error) {
	return []byte(strconv.FormatFloat(float64(c), 'f', 1, 64) + "°C"), nil
}

func (c *celsius) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(string(text), "°C")
	if !ok {
		return errors.New("no temperature")
	}
	f, err := strconv.ParseFloat(number, 64)
	*c = celsius(f)
	return err
}

// point writes itself as a JSON array, from a pointer receiver.
type point struct{ X, Y int }

func (p *point) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "[%d, %d]", p.X, p.Y), nil }

func (p *point) UnmarshalJSON(data []byte) error {
	var xy [2]int
	if err := json.Unmarshal(data, &xy); err != nil {
		return err
	}
	p.X, p.Y = xy[0], xy[1]
	return nil
}

// colour writes itself for JSON only.
type colour int

func (c colour) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"colour %d"`, int(c)), nil }

func (c *colour) UnmarshalJSON(data []byte) error {
	_, err := fmt.Sscanf(string(data), `"colour %d"`, (*int)(c))
	return err
}

// mark writes itself as text, from a pointer receiver.
type mark struct{ N int }

func (m *mark) MarshalText() ([]byte, error)    { return []byte(strconv.Itoa(m.N)), nil }
func (m *mark) UnmarshalText(text []byte) error { m.N = len(text); return nil }

// readText and readJSON are written by their kind, and are read by a method.
type readText int

func (r *readText) UnmarshalText(text []byte) error { *r = readText(len(text)); return nil }

type readJSON int

func (r *readJSON) UnmarshalJSON(text []byte) error { *r = readJSON(len(text)); return nil }

// shade is a byte with a text form, so that a slice of it is no text in base64.
type shade byte

func (s shade) MarshalText() ([]byte, error) { return []byte{'s'}, nil }

func (s *shade) UnmarshalText([]byte) error { *s = 1; return nil }

// holder has a value whose method needs an address, at some depth.
type holder struct{ Marks [1]struct{ M mark } }

// timed is written as its time, because the methods of time.Time are methods of timed.
type timed struct {
	time.Time
	Note string
}

// everything is one struct with most of the above.
type everything struct {
	Created time.Time                 `json:"created"`
	Took    time.Duration             `json:"took"`
	Balance big.Int                   `json:"balance"`
	Limit   *big.Int                  `json:"limit"`
	Ratio   *big.Rat                  `json:"ratio,omitempty"`
	Addr    netip.Addr                `json:"addr"`
	Raw     json.RawMessage           `json:"raw"`
	Data    []byte                    `json:"data"`
	Key     [4]byte                   `json:"key"`
	Temp    celsius                   `json:"temp"`
	Index   map[int]names             `json:"index"`
	Any     any                       `json:"any"`
	Quoted  quoted                    `json:"quoted"`
	Page    page[pair[string, *bool]] `json:"page"`
	Nested  nested                    `json:"nested"`
	base
}
