// The load on etcd for "npm run bench -- raft": a closed loop of clients against the leader, through etcd's own Go
// client. Prints one line of JSON.
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/pkg/transport"
)

func main() {
	endpoints := flag.String("endpoints", "", "client URLs of all members, comma-separated")
	clients := flag.Int("clients", 1, "closed loops")
	conns := flag.Int("conns", 1, "connections that they share")
	seconds := flag.Float64("seconds", 5, "how long")
	op := flag.String("op", "put", "put, or get for a linearizable read")
	valueBytes := flag.Int("value", 256, "bytes of a value")
	keys := flag.Uint64("keys", 1000, "keys that are written to, in turn")
	ca := flag.String("ca", "", "authority, PEM")
	cert := flag.String("cert", "", "certificate, PEM")
	key := flag.String("key", "", "key, PEM")
	flag.Parse()

	info := transport.TLSInfo{TrustedCAFile: *ca, CertFile: *cert, KeyFile: *key}
	tls, err := info.ClientConfig()
	must(err)
	all, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(*endpoints, ","), TLS: tls, DialTimeout: 10 * time.Second})
	must(err)
	leader := leaderOf(all)
	must(all.Close())

	shared := make([]*clientv3.Client, *conns)
	for at := range shared {
		shared[at], err = clientv3.New(clientv3.Config{Endpoints: []string{leader}, TLS: tls, DialTimeout: 10 * time.Second})
		must(err)
	}
	value := make([]byte, *valueBytes)
	_, err = rand.Read(value)
	must(err)
	_, err = shared[0].Put(context.Background(), name(0), string(value))
	must(err)

	latencies := make([][]float64, *clients)
	var group sync.WaitGroup
	began := time.Now()
	end := began.Add(time.Duration(*seconds * float64(time.Second)))
	for at := 0; at < *clients; at++ {
		group.Add(1)
		go func(at int) {
			defer group.Done()
			client := shared[at%len(shared)]
			for number := uint64(at); ; number += uint64(*clients) {
				start := time.Now()
				if start.After(end) {
					return
				}
				var err error
				if *op == "get" {
					_, err = client.Get(context.Background(), name(number%*keys))
				} else {
					_, err = client.Put(context.Background(), name(number%*keys), string(value))
				}
				must(err)
				latencies[at] = append(latencies[at], time.Since(start).Seconds()*1000)
			}
		}(at)
	}
	group.Wait()
	took := time.Since(began).Seconds()
	var sorted []float64
	for _, each := range latencies {
		sorted = append(sorted, each...)
	}
	sort.Float64s(sorted)
	must(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"perSecond": float64(len(sorted)) / took,
		"p50Ms":     sorted[len(sorted)/2],
		"p99Ms":     sorted[len(sorted)*99/100],
	}))
}

// A key of 8 bytes.
func name(number uint64) string {
	bytes := make([]byte, 8)
	binary.BigEndian.PutUint64(bytes, number)
	return string(bytes)
}

func leaderOf(client *clientv3.Client) string {
	for _, endpoint := range client.Endpoints() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		status, err := client.Status(ctx, endpoint)
		cancel()
		if err == nil && status.Leader == status.Header.MemberId {
			return endpoint
		}
	}
	must(fmt.Errorf("no member of etcd leads"))
	return ""
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
