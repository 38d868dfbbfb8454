package logs

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// BenchmarkStoreLines is the cost of a line, in transactions of a hundred, of four streams.
func BenchmarkStoreLines(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			url := "sqlite:" + b.TempDir() + "/bench.db"
			if name == "postgres" {
				url = storetest.PostgresURL(b)
			}
			db := storetest.Open(b, url)
			now := time.UnixMilli(1_800_000_000_000)
			batch := make([]line, 100)
			var seq int64
			for b.Loop() {
				for i := range batch {
					seq++
					batch[i] = line{"us-east-1", "/aws/lambda/f", fmt.Sprintf("2026/11/21/[$LATEST]%032x", i/3%4), now.UnixMilli(), seq,
						"REPORT RequestId: 00000000-0000-0000-0000-000000000000\tDuration: 1.00 ms"}
				}
				if err := db.Update(b.Context(), func(tx *store.Tx) error { return storeLines(tx, batch, now) }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seq), "ns/line")
		})
	}
}
