package main

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// scrape gets the metrics of a service as Prometheus does.
func (d *demo) scrape(p *process) ([]string, error) {
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, "http://"+p.listener.Addr().String()+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var lines []string
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		lines = append(lines, scan.Text())
	}
	return lines, scan.Err()
}

// counter returns a counter of a scrape: that of a name with these values of labels.
func (d *demo) counter(p *process, name string, labels ...string) int {
	lines, err := d.scrape(p)
	if err != nil {
		return 0
	}
	for _, line := range lines {
		is := strings.HasPrefix(line, name+"{")
		for _, l := range labels {
			is = is && strings.Contains(line, strconv.Quote(l))
		}
		if is {
			fields := strings.Fields(line[strings.LastIndex(line, "}")+1:])
			n, _ := strconv.ParseFloat(fields[0], 64)
			return int(n)
		}
	}
	return 0
}

// printScrape prints some lines of what Prometheus gets from a service.
func (d *demo) printScrape(p *process) error {
	d.title("a scrape of %s", p.instance)
	lines, err := d.scrape(p)
	if err != nil {
		return err
	}
	for _, line := range lines {
		for _, name := range []string{
			"rpc_server_call_duration_seconds_count", "rpc_client_call_duration_seconds_count", "shop_",
			"amqprpc_server_ready", "amqprpc_server_handled_total", "amqprpc_client_resent_total",
		} {
			if strings.HasPrefix(line, name) {
				fmt.Fprintln(d.out, " ", line)
			}
		}
	}
	return nil
}
