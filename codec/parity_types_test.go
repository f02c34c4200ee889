package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

//lint:file-ignore SA5008 what odd tags mean is part of the test

// The Go types of the parity table.

type (
	age     int8
	level   string
	names   []string
	scores  map[level]age
	anyMap  map[string]any
	untyped interface{}
)

type tagged struct {
	Plain    string
	Renamed  string `json:"other"`
	Skipped  string `json:"-"`
	Dash     string `json:"-,"`
	Option   string `json:",omitempty"`
	Strange  string `json:"a.b/c d"`
	Invalid  string `json:"quote\"d"`
	Unicode  string `json:"größe"`
	internal string
}

type omitting struct {
	Bool   bool              `json:"bool,omitempty"`
	Int    int               `json:"int,omitempty"`
	Float  float64           `json:"float,omitempty"`
	String string            `json:"string,omitempty"`
	Slice  []int             `json:"slice,omitempty"`
	Map    map[string]int    `json:"map,omitempty"`
	Array  [0]int            `json:"array,omitempty"`
	Full   [2]int            `json:"full,omitempty"`
	Ptr    *int              `json:"ptr,omitempty"`
	Any    any               `json:"any,omitempty"`
	Struct struct{}          `json:"struct,omitempty"`
	Time   time.Time         `json:"time,omitzero"`
	Zero   int               `json:"zero,omitzero"`
	Own    isZero            `json:"own,omitzero"`
	OwnPtr *isZero           `json:"own_ptr,omitzero"`
	OwnRef isZeroRef         `json:"own_ref,omitzero"`
	Both   map[string]string `json:"both,omitempty,omitzero"`
}

// isZero considers 7 to be zero.
type isZero int

func (z isZero) IsZero() bool { return z == 7 }

type isZeroRef int

func (z *isZeroRef) IsZero() bool { return *z == 7 }

type quoted struct {
	Bool    bool        `json:",string"`
	Int     int64       `json:",string"`
	Uint    uint64      `json:",string"`
	Float   float64     `json:",string"`
	Float32 float32     `json:",string"`
	String  string      `json:",string"`
	Named   age         `json:",string"`
	Ptr     *int        `json:",string"`
	Nil     *bool       `json:",string"`
	Number  json.Number `json:",string"`
	Omitted uint8       `json:",omitempty,string"`
	Ignored []int       `json:",string"` // not a scalar, so the option has no effect
}

type base struct {
	ID      string `json:"id"`
	Version int
}

type deep struct{ Deepest string }

type middle struct {
	deep
	Version string `json:"version_middle"`
}

type Public struct{ Shown bool }

type embedding struct {
	base
	*Public
	middle
	named2  `json:"named"`
	Version int // hides base's Version
}

type named2 struct{ Inside int }

// ambiguous embeds two fields with the same name. Neither counts unless a tag decides.
type ambiguous struct {
	left
	right
}

type left struct {
	Same int
	Wins int `json:"Won"`
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

// hiding names an embedded struct that is not exported.
type hiding struct {
	base `json:"base"`
}

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
type point struct{ x, y int }

func (p *point) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "[%d, %d]", p.x, p.y), nil }

func (p *point) UnmarshalJSON(data []byte) error {
	var xy [2]int
	if err := json.Unmarshal(data, &xy); err != nil {
		return err
	}
	p.x, p.y = xy[0], xy[1]
	return nil
}

// shape writes itself as a JSON object with every JSON type.
type shape struct{ text string }

func (s shape) MarshalJSON() ([]byte, error) {
	if s.text == "" {
		return []byte("null"), nil
	}
	return []byte(s.text), nil
}

func (s *shape) UnmarshalJSON(data []byte) error {
	s.text = string(bytes.Clone(data))
	return nil
}

// secret is a number with a text form. The text form takes precedence.
type secret uint8

func (secret) MarshalText() ([]byte, error)    { return []byte("***"), nil }
func (s *secret) UnmarshalText(b []byte) error { *s = secret(len(b)); return nil }

// everything is one struct with most of the above.
type everything struct {
	ID      uuid.UUID                 `json:"id"`
	Created time.Time                 `json:"created"`
	Took    time.Duration             `json:"took"`
	Balance big.Int                   `json:"balance"`
	Limit   *big.Int                  `json:"limit"`
	Ratio   *big.Rat                  `json:"ratio,omitempty"`
	Addr    netip.AddrPort            `json:"addr"`
	Raw     json.RawMessage           `json:"raw"`
	Data    []byte                    `json:"data"`
	Key     [4]byte                   `json:"key"`
	Temp    celsius                   `json:"temp"`
	Index   map[int]names             `json:"index"`
	Any     any                       `json:"any"`
	Quoted  quoted                    `json:"quoted"`
	Page    page[pair[string, *bool]] `json:"page"`
	flat
}

// flat embeds structs without a name in common.
type flat struct {
	*Public
	middle
	named2
	Version int
}

type wrapping struct {
	named2 `json:"named"`
}

// colour writes itself for JSON only.
type colour int

func (c colour) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"colour %d"`, int(c)), nil }

func (c *colour) UnmarshalJSON(data []byte) error {
	_, err := fmt.Sscanf(string(data), `"colour %d"`, (*int)(c))
	return err
}
