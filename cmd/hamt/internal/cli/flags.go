package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	ipldmulticodec "github.com/ipld/go-ipld-prime/multicodec"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/params"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// verb makes a command of the package's kind.
func verb(
	group, use, short, example string, args counts,
	run func(ctx context.Context, args []string) error,
) *cobra.Command {
	return &cobra.Command{
		GroupID: group, Use: use, Short: short, Example: indent(example), Args: args.check,
		DisableFlagsInUseLine: true,
		RunE:                  func(c *cobra.Command, args []string) error { return run(c.Context(), args) },
	}
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}

// counts are the least and the most arguments that a verb takes.
type counts struct{ least, most int }

// many stands for any number of arguments.
const many = math.MaxInt

func exactly(n int) counts { return counts{n, n} }

// rootAnd is ROOT and rest more arguments, or only these: whether the store has
// a default root is seen when it is opened.
func rootAnd(rest int) counts { return counts{rest, rest + 1} }

func (n counts) check(c *cobra.Command, args []string) error {
	if c.HasSubCommands() && len(args) > n.most {
		return noSuchVerb(c, args)
	}
	if len(args) < n.least || len(args) > n.most {
		return fmt.Errorf("usage: %s", c.UseLine())
	}
	return nil
}

// layoutFlags are the parameters of a map. On building they are chosen. On
// reading they are needed for the layouts alone whose blocks do not carry them.
type layoutFlags struct {
	layout     string
	hash       code
	bitWidth   int
	bucketSize int
	reads      bool // maps that are there, and may carry their parameters
	changed    func(name string) bool
	remembered *params.Params // what the name of the map remembers
}

// layoutNames are the names of the flags.
var layoutNames = []string{"layout", "hash", "bit-width", "bucket-size"}

func (f *layoutFlags) add(flags *pflag.FlagSet, reading bool) *layoutFlags {
	f.reads, f.hash = reading, code(multicodec.Sha2_256)
	flags.StringVar(&f.layout, "layout", params.Spec.String(), "how nodes are written: spec, filecoin-v3, filecoin-v0 or py-hamt-3")
	choices(flags, "layout", params.Spec.String(), params.FilecoinV3.String(), params.FilecoinV0.String(), params.PyHAMT3.String())
	flags.Var(&f.hash, "hash", "hash function for keys, by its multicodec `NAME` or 0x… code (default sha2-256; blake3 in py-hamt's layout)")
	choices(flags, "hash", "sha2-256", "murmur3-x64-64", "blake3", "identity")
	flags.IntVar(&f.bitWidth, "bit-width", 0, "bits of the hash that each level takes, 3 to 16 (default 8; 5 in Filecoin's layouts)")
	flags.IntVar(&f.bucketSize, "bucket-size", 0, "entries that fit into a bucket, from 1 (default 3; 4 in py-hamt's layout)")
	flags.Lookup("hash").DefValue = "" // which the layout says
	if reading {
		about(flags, topicLayouts, layoutNames...)
	}
	f.changed = flags.Changed
	return f
}

// reading adds the flags to a verb that reads maps.
func (f *layoutFlags) reading(c *cobra.Command) *cobra.Command {
	f.add(c.Flags(), true)
	return c
}

// remember takes the parameters that the name of a map remembers, for who does not say
// others.
func (f *layoutFlags) remember(ctx context.Context, named stores.Named, name string) error {
	remembering, ok := named.(stores.Remembering)
	if !ok {
		return nil
	}
	p, ok, err := remembering.NameParams(ctx, name)
	if f.remembered = nil; ok {
		f.remembered = &p
	}
	return err
}

// params returns the parameters; what is not said is as the layout has it.
func (f *layoutFlags) params() (params.Params, error) {
	if f.remembered != nil && !slices.ContainsFunc(layoutNames, f.changed) {
		return *f.remembered, nil
	}
	layout, err := params.ParseLayout(f.layout)
	if err != nil {
		return params.Params{}, usage("%w", plain{err})
	}
	p := params.DefaultsOf(layout)
	for _, name := range []string{"hash", "bit-width", "bucket-size"} {
		if f.reads && layout == params.Spec && f.changed(name) {
			return p, usage("--%s goes with a --layout whose maps do not say it by themselves: hamt help layouts", name)
		}
	}
	if f.changed("hash") {
		p = p.WithHashAlg(multicodec.Code(f.hash))
	}
	for _, field := range []struct {
		name string
		of   *int
		said int
	}{{"bit-width", &p.BitWidth, f.bitWidth}, {"bucket-size", &p.BucketSize, f.bucketSize}} {
		if !f.changed(field.name) {
			continue
		}
		if field.said == 0 { // which in Params would be the default
			return p, usage("%s 0 is out of range", strings.ReplaceAll(field.name, "-", " "))
		}
		*field.of = field.said
	}
	if err := p.Validate(); err != nil {
		return p, usage("%w", plain{err})
	}
	return p, nil
}

// code is a flag for a multicodec.
type code multicodec.Code

func (c *code) String() string { return multicodec.Code(*c).String() }
func (c *code) Type() string   { return "name" }

// Set takes a name from the multicodec table or any number: a hash can be
// registered under any.
func (c *code) Set(text string) error {
	if n, err := strconv.ParseUint(text, 0, 63); err == nil {
		*c = code(n)
		return nil
	}
	return (*multicodec.Code)(c).Set(text)
}

// blockFlags say how blocks are written.
type blockFlags struct {
	codec, hash code
	changed     func(name string) bool
	inline      size
	files       bool
	most        blockSize
}

func (f *blockFlags) add(flags *pflag.FlagSet) {
	f.codec, f.hash = code(multicodec.DagCbor), code(multicodec.Sha2_256)
	flags.Var(&f.codec, "codec", "codec of the blocks: dag-cbor, dag-json or another")
	choices(flags, "codec", "dag-cbor", "dag-json")
	flags.Var(&f.hash, "block-hash", "hash function for blocks, by its multicodec `NAME`: sha2-256, blake3 or another (default sha2-256; blake3 in py-hamt's layout)")
	choices(flags, "block-hash", "sha2-256", "blake3")
	flags.Lookup("block-hash").DefValue = "" // which the layout says
	f.addLimits(flags)
}

// addLimits adds the flags that make sense for changes to a map, whose other
// blocks are there already.
func (f *blockFlags) addLimits(flags *pflag.FlagSet) {
	f.most.size = 1 << 20
	flags.Var(&f.inline, "inline-bytes", "keep values above this `SIZE` in blocks of their own, for get --follow (0: none)")
	flags.Var(&f.most, "max-block", "refuse to write a block above this `SIZE`, 16MiB at most")
	f.changed = flags.Changed
}

// addFiles adds the flag of verbs that take values.
func (f *blockFlags) addFiles(flags *pflag.FlagSet) {
	limit := size(defaultInline)
	flags.BoolVar(&f.files, "file-values", false, fmt.Sprintf(
		"keep strings and bytes above --inline-bytes, or else %s, in files as ipfs add makes them", &limit))
}

const (
	// defaultInline is the inline limit where large values are kept in files. With a bit
	// width of 8 and a bucket size of 3, the most entries that one block may have are
	// then not too large for it, if their keys have no more than some 300 bytes.
	defaultInline = 1 << 10
	// leastInline is more than a link takes: it would be put into a block of its own.
	leastInline = 64
)

// check returns what is wrong with the flags together.
func (f *blockFlags) check() error {
	if f.files && f.inlineBytes() < leastInline {
		return usage("--file-values needs --inline-bytes of %d or more: the link to a file stands inline", leastInline)
	}
	return nil
}

// inlineBytes is the inline limit.
func (f *blockFlags) inlineBytes() int {
	if f.files && !f.changed("inline-bytes") {
		return defaultInline
	}
	return f.inline.int()
}

// limits puts the limits into a prototype.
func (f *blockFlags) limits(p builder.Prototype) builder.Prototype {
	p.InlineBytes, p.MaxBlockBytes = f.inlineBytes(), f.most.int()
	return p
}

// linkPrototype names the blocks of a map with some parameters.
func (f *blockFlags) linkPrototype(p params.Params) (cidlink.LinkPrototype, error) {
	if !f.changed("block-hash") {
		f.hash = code(builder.DefaultLinkPrototype(p).(cidlink.LinkPrototype).MhType)
	}
	if multicodec.Code(f.hash) == multicodec.Identity {
		return cidlink.LinkPrototype{}, usage("--block-hash identity would put blocks into their own names")
	}
	if err := f.checkCodec(); err != nil {
		return cidlink.LinkPrototype{}, err
	}
	return cidlink.LinkPrototype{Prefix: cid.Prefix{
		Version: 1, Codec: uint64(f.codec), MhType: uint64(f.hash), MhLength: -1,
	}}, nil
}

// checkCodec returns an error for a codec in which no node can be written: one that is
// not known, or does not know maps and bytes.
func (f *blockFlags) checkCodec() error {
	encode, err := ipldmulticodec.LookupEncoder(uint64(f.codec))
	if err != nil {
		return usage("there is no encoder for --codec %s: take dag-cbor or dag-json", f.codec.String())
	}
	node, err := qp.BuildMap(basicnode.Prototype.Any, 1, func(m datamodel.MapAssembler) {
		qp.MapEntry(m, "map", qp.Bytes([]byte{0}))
	})
	if err == nil {
		err = encode(node, io.Discard)
	}
	if err != nil {
		return usage("no node can be written in --codec %s: take dag-cbor or dag-json", f.codec.String())
	}
	return nil
}

// bulkFlags say how much a build may take.
type bulkFlags struct {
	memory size
	spill  string
}

func (f *bulkFlags) add(flags *pflag.FlagSet) {
	f.memory = builder.DefaultBulkMemory
	flags.Var(&f.memory, "memory", "how much to keep in memory before sorted parts go to disk, such as 512MiB; about 512MiB come on top")
	flags.StringVar(&f.spill, "spill", "", "`DIR` for the parts that go to disk (default: where temporary files go)")
}

func nameFlag(flags *pflag.FlagSet, name *string) {
	flags.Var((*rootName)(name), "name", "give the new root a `NAME`")
}

// rootName is a flag for a name, which is not empty, as a shell variable may be
// that was never set.
type rootName string

func (n *rootName) Type() string   { return "name" }
func (n *rootName) String() string { return string(*n) }

func (n *rootName) Set(text string) error {
	if text == "" {
		return errors.New("it is empty")
	}
	*n = rootName(text)
	return nil
}

// blockSize is a flag for the size of a block: no more than what is read.
type blockSize struct{ size }

func (s *blockSize) Set(text string) error {
	const largest = 16 << 20
	if err := s.size.Set(text); err != nil {
		return err
	}
	if s.size > largest {
		return errors.New("blocks above 16MiB would not be read")
	}
	return nil
}

// size is a flag for a number of bytes.
type size int64

func (s *size) Type() string { return "size" }

func (s *size) String() string {
	if *s == 0 {
		return "0" // which the help does not show as a default
	}
	return units.BytesSize(float64(*s))
}

// Set takes a number with a unit: KiB, MiB, GiB, TiB, PiB in powers of 1024, where
// K and KB, and so on, mean the same.
func (s *size) Set(text string) error {
	n, err := units.RAMInBytes(text)
	switch {
	case err != nil:
		return errors.New("it is not a size such as 512MiB")
	case n < 0 || n == math.MaxInt64: // what a conversion makes of more
		return errors.New("it is too large")
	}
	*s = size(n)
	return nil
}

// int returns the size for an API that takes an int.
func (s *size) int() int { return int(min(int64(*s), math.MaxInt)) }
