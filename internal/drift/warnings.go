package drift

import (
	"fmt"
	"strconv"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// warnings reports what is unusual about a document of which every value
// decrypts. The format authenticates a value but not the name it is under, so
// anyone who can write the file can move and copy values without any key. head
// is the version before it, or nil.
func warnings(doc, head *dotenv.Document) []string {
	var odd []string
	if headers, _ := doc.PublicKeys(); len(headers) > 1 {
		odd = append(odd, fmt.Sprintf("the header names %d public keys; dotenvx writes one", len(headers)))
	}
	odd = append(odd, copies(doc)...)
	if head != nil {
		odd = append(odd, moved(doc, head)...)
	}
	return odd
}

// unparsed reports lines that are not an assignment: what is there is not
// encrypted, and may have been meant as a secret. It returns "" if there are
// none.
func unparsed(lines []int) string {
	var numbers []string
	for _, n := range lines {
		numbers = append(numbers, strconv.Itoa(n))
	}
	switch len(numbers) {
	case 0:
		return ""
	case 1:
		return "line " + numbers[0] + " is not NAME=value and was NOT encrypted"
	}
	return "lines " + List(numbers) + " are not NAME=value and were NOT encrypted"
}

// copies reports values with the same ephemeral key.
func copies(doc *dotenv.Document) (odd []string) {
	type origin struct{ name, value string }
	first := map[ecies.PublicKey]origin{}
	for _, e := range doc.Entries() {
		key, err := ecies.Ephemeral(e.Value)
		if err != nil {
			continue
		}
		before, twice := first[key]
		switch {
		case !twice:
			first[key] = origin{e.Name, e.Value}
		case before.value != e.Value:
			odd = append(odd, fmt.Sprintf("%s and %s share an ephemeral key: what encrypted them has no randomness", before.name, e.Name))
		case before.name != e.Name:
			odd = append(odd, fmt.Sprintf("%s has the ciphertext of %s", e.Name, before.name))
		}
	}
	return odd
}

// moved reports names that have the ciphertext which HEAD has under another
// name that is still there with another value, and names whose value is no
// longer encrypted because the name allows plaintext. A new name alone is
// neither.
func moved(doc, head *dotenv.Document) (odd []string) {
	was := map[string]string{} // the name that a ciphertext had
	for _, e := range head.Entries() {
		if e.Encrypted() {
			was[e.Value] = e.Name
		}
	}
	for _, e := range doc.Entries() {
		before, known := was[e.Value]
		if now, ok := doc.Get(before); known && before != e.Name && ok && now.Value != e.Value {
			odd = append(odd, fmt.Sprintf("%s has the ciphertext that was %s's", e.Name, before))
		}
	}
	for _, e := range head.Entries() {
		_, kept := doc.Get(e.Name)
		plain, ok := doc.Get(e.Name + "_PLAIN")
		if e.Encrypted() && !kept && ok && !plain.Encrypted() {
			odd = append(odd, fmt.Sprintf("%s was encrypted and is now plaintext, as %s", e.Name, plain.Name))
		}
	}
	return odd
}
