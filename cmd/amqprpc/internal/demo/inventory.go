package demo

import (
	"context"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

const (
	checkStock    amqprpc.Method[StockQuery, Stock]    = "inventory.check"
	checkStockNew amqprpc.Method[StockQuery, NewStock] = "inventory.check" // as the next version answers
	importStock   amqprpc.ClientStream[Row, Summary]   = "inventory.import"
)

// stock is how many there are of each article.
const stock = 9

// StockQuery asks for an article.
type StockQuery struct {
	SKU       string `json:"sku" jsonschema:"description=The number of the article"`
	Warehouse string `json:"warehouse,omitempty" jsonschema:"enum=north,enum=south"`
}

// Stock is how many there are.
type Stock struct {
	SKU       string `json:"sku"`
	Available int    `json:"available"`
}

// NewStock is the answer of the next version, which also says where the article is.
type NewStock struct {
	Stock
	Warehouse string `json:"warehouse"`
}

// Row is a delivery to a warehouse.
type Row struct {
	SKU       string `json:"sku"`
	Quantity  int    `json:"quantity" jsonschema:"minimum=1"`
	Warehouse string `json:"warehouse" jsonschema:"enum=north,enum=south"`
}

// Summary says what was imported.
type Summary struct {
	Rows     int            `json:"rows"`
	Quantity int            `json:"quantity"`
	By       map[string]int `json:"by_warehouse"`
}

func registerInventory(srv *amqprpc.Server, next bool) {
	options := []amqprpc.HandlerOption{
		amqprpc.WithDoc("Says how many there are of an article."),
		amqprpc.WithExample(StockQuery{SKU: "TEA-104"}),
		amqprpc.WithErrors(amqprpc.CodeInvalidArgument),
		amqprpc.WithBroadcast(),
	}
	if next {
		checkStockNew.Register(srv, func(ctx context.Context, q StockQuery) (NewStock, error) {
			s, err := check(ctx, q)
			return NewStock{Stock: s, Warehouse: "north"}, err
		}, options...)
		return
	}
	checkStock.Register(srv, check, options...)
	importStock.Register(srv, importRows,
		amqprpc.WithDoc("Takes a delivery row by row, and answers with a summary at the end."),
		amqprpc.WithExample(Row{SKU: "TEA-104", Quantity: 40, Warehouse: "north"}),
		amqprpc.WithErrors(amqprpc.CodeInvalidArgument))
}

func check(ctx context.Context, q StockQuery) (Stock, error) {
	if q.SKU == "" {
		return Stock{}, amqprpc.Errorf(amqprpc.CodeInvalidArgument, "the request has no article")
	}
	if err := work(ctx, time.Millisecond, 12*time.Millisecond); err != nil {
		return Stock{}, err
	}
	return Stock{SKU: q.SKU, Available: stock}, nil
}

func importRows(_ context.Context, in *amqprpc.Receiver[Row]) (Summary, error) {
	s := Summary{By: make(map[string]int)}
	for row, err := range in.All() {
		if err != nil {
			return Summary{}, err
		}
		if row.Quantity < 1 {
			return Summary{}, amqprpc.Errorf(amqprpc.CodeInvalidArgument, "row %d of the delivery has the quantity %d", s.Rows+1, row.Quantity)
		}
		s.Rows++
		s.Quantity += row.Quantity
		if row.Warehouse == "north" || row.Warehouse == "south" {
			s.By[row.Warehouse] += row.Quantity
		}
	}
	return s, nil
}
