package srp

import (
	"math/big"
	"sync"
)

// Powers of the generator with exponents of 256 bits, by the comb method of Lim and Lee (Crypto '94).
//
// The exponent is cut into 8 rows of 32 bits, and each row into 8 blocks of 4. A table for each block
// holds, for each of the 255 ways to pick rows, the product of the powers of g that stand for them.
// Then 3 squarings and 32 multiplications make a power, where plain exponentiation needs 256 and 50.
// One table for every byte of the exponent would save 4 of these 35 at four times the memory.
// The tables take 0.8 MB and are made at the first use, in about 10 ms.
const (
	combRows   = 8
	combBlocks = 8
	rowBits    = 256 / combRows
	blockBits  = rowBits / combBlocks
)

type comb struct {
	table [combBlocks][1 << combRows]*big.Int // entry 0 is unused
}

var fixedBase = sync.OnceValue(newComb)

func newComb() *comb {
	t := new(comb)
	// power[i][j] = g^(2^(rowBits·i + blockBits·j))
	p := new(big.Int).Set(generator)
	var power [combRows][combBlocks]*big.Int
	for bit := range 256 {
		if bit%blockBits == 0 {
			power[bit/rowBits][bit%rowBits/blockBits] = new(big.Int).Set(p)
		}
		p.Mod(p.Mul(p, p), modulus)
	}
	for j := range combBlocks {
		for pick := 1; pick < 1<<combRows; pick++ {
			top := 0
			for pick>>(top+1) != 0 {
				top++
			}
			x := power[top][j]
			if rest := pick &^ (1 << top); rest != 0 {
				x = new(big.Int).Mul(x, t.table[j][rest])
				x.Mod(x, modulus)
			}
			t.table[j][pick] = x
		}
	}
	return t
}

// exp returns g^e mod N, for e of at most 32 bytes, big-endian.
func (t *comb) exp(e []byte) *big.Int {
	if len(e) > 32 {
		panic("srp: exponent longer than the table")
	}
	var le [32]byte // little-endian
	for i, b := range e {
		le[len(e)-1-i] = b
	}
	// Mul and QuoRem into variables of their own: with aliasing, each would allocate.
	acc, product, quotient := big.NewInt(1), new(big.Int), new(big.Int)
	reduce := func() { quotient.QuoRem(product, modulus, acc) }
	for k := blockBits - 1; k >= 0; k-- {
		if k != blockBits-1 {
			product.Mul(acc, acc)
			reduce()
		}
		for j := range combBlocks {
			pick := 0
			for i := range combRows {
				bit := rowBits*i + blockBits*j + k
				pick |= int(le[bit/8]>>(bit%8)&1) << i
			}
			if pick != 0 {
				product.Mul(acc, t.table[j][pick])
				reduce()
			}
		}
	}
	return acc
}
