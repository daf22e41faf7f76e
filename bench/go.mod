module github.com/envdrift/envdrift/bench

go 1.26.0

require github.com/decred/dcrd/dcrec/secp256k1/v4 v4.4.1

require github.com/envdrift/envdrift v0.0.0

replace github.com/envdrift/envdrift => ../
