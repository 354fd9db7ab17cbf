package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
)

// In this file: reading a bbolt file by its own layout, before bbolt does.
// bbolt trusts the pages that it maps: a foreign or damaged file can make it
// panic, fault or write. So Open first looks whether the file is a record at
// all (glance), and then, under the file's lock, walks every page that bbolt
// would follow (check). Nothing here writes. A file is mapped for that, where
// the system can: of most pages a few keys are looked at, and the values not at
// all, so that a long record opens in a moment. What cannot be mapped is read.

const (
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaOffset  = 16 // of the meta within its page
	metaSize    = 64
	pageHeader  = 16
	elementSize = 16 // of leaf and branch elements

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	flagBucket   = 0x01 // of a leaf element

	noFreelist = ^uint64(0)
	maxDepth   = 64 // of a tree; a real one has less than ten levels
)

var (
	errMeta     = errors.New("no valid meta page")
	errPageSize = errors.New("meta page with a wrong page size") // bbolt would take it
)

// meta is what the check needs of a meta page.
type meta struct {
	pageSize uint32
	root     uint64
	freelist uint64
	pages    uint64 // the first page id not in use yet
	txid     uint64
}

func parseMeta(b []byte) (meta, error) {
	e := binary.NativeEndian
	if len(b) < metaSize || e.Uint32(b) != metaMagic || e.Uint32(b[4:]) != metaVersion {
		return meta{}, errMeta
	}
	h := fnv.New64a()
	_, _ = h.Write(b[:metaSize-8]) // a hash takes everything
	if h.Sum64() != e.Uint64(b[metaSize-8:]) {
		return meta{}, errMeta
	}
	m := meta{
		pageSize: e.Uint32(b[8:]), root: e.Uint64(b[16:]), freelist: e.Uint64(b[32:]),
		pages: e.Uint64(b[40:]), txid: e.Uint64(b[48:]),
	}
	if s := m.pageSize; s < 1024 || s > 1<<16 || s&(s-1) != 0 {
		return meta{}, fmt.Errorf("%w (%d)", errPageSize, s)
	}
	return m, nil
}

// readMeta returns the meta page that bbolt would go by.
func readMeta(r io.ReaderAt) (meta, error) {
	at := func(off int64) (meta, error) {
		b := make([]byte, metaSize)
		if _, err := r.ReadAt(b, off+metaOffset); err != nil {
			return meta{}, fmt.Errorf("%w: %w", errMeta, err)
		}
		return parseMeta(b)
	}
	first, err := at(0)
	if errors.Is(err, errPageSize) {
		return meta{}, err
	}
	if err == nil {
		second, err := at(int64(first.pageSize))
		switch {
		case errors.Is(err, errPageSize):
			return meta{}, err
		case err != nil:
			return first, nil
		case second.pageSize != first.pageSize:
			return meta{}, fmt.Errorf("%w: %d and %d", errPageSize, first.pageSize, second.pageSize)
		case second.txid > first.txid:
			return second, nil
		}
		return first, nil
	}
	for size := int64(1024); size <= 1<<16; size *= 2 {
		m, serr := at(size)
		switch {
		case errors.Is(serr, errPageSize):
			return meta{}, serr
		case serr == nil && int64(m.pageSize) != size:
			return meta{}, fmt.Errorf("%w: %d at %d", errPageSize, m.pageSize, size)
		case serr == nil:
			return m, nil
		}
	}
	return meta{}, err
}

// glance opens the file only to read, and refuses what is no bbolt file.
func glance(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s: %w: it is not a file; set data: to a file's path", path, ErrNotOurs)
	}
	if st.Size() == 0 {
		return fmt.Errorf("%s: %w: it is empty; remove it or name another file", path, ErrNotOurs)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w; check its owner and mode", err)
	}
	defer func() { _ = f.Close() }()
	if _, err := readMeta(f); err != nil {
		return fmt.Errorf("%s: %w (%w); name another file, or restore a backup here", path, ErrNotOurs, err)
	}
	return nil
}

// check walks the whole file of size bytes. The caller holds its lock.
func check(r io.ReaderAt, size int64) (err error) {
	mem, unmap := mapped(r, size)
	defer unmap()
	if mem != nil { // a page that the disk cannot read is an error, and not the end of the program
		was := debug.SetPanicOnFault(true)
		defer func() {
			debug.SetPanicOnFault(was)
			if e := recover(); e != nil {
				fault, ok := e.(runtime.Error)
				if !ok {
					panic(e)
				}
				err = damaged(fmt.Errorf("it cannot be read: %w", fault))
			}
		}()
	}
	return walk(r, mem, size)
}

// walk is check, of pages in mem where it is not nil.
func walk(r io.ReaderAt, mem []byte, size int64) error {
	m, err := readMeta(r)
	if err != nil {
		return fmt.Errorf("%w (%w); name another file, or restore a backup here", ErrNotOurs, err)
	}
	c := &checker{r: r, mem: mem, m: m}
	if m.pages < 4 || m.pages > uint64(size)/uint64(m.pageSize) {
		return damaged(fmt.Errorf("the file has %d bytes, its %d pages need more", size, m.pages))
	}
	c.seen = make([]uint64, m.pages/64+1)
	c.use(0)
	c.use(1)
	buckets, err := c.buckets()
	if err != nil {
		return damaged(err)
	}
	if err := c.mark(buckets[string(bucketMark)]); err != nil {
		return err
	}
	for _, name := range [][]byte{bucketData, bucketLocks} {
		v, ok := buckets[string(name)]
		if !ok {
			return damaged(fmt.Errorf("bucket %q is missing", name))
		}
		if err := c.bucket(v, nil); err != nil {
			return damaged(fmt.Errorf("bucket %q: %w", name, err))
		}
	}
	if len(buckets) != 3 {
		return damaged(fmt.Errorf("it has %d buckets, want 3", len(buckets)))
	}
	if err := c.freelist(); err != nil {
		return damaged(err)
	}
	return nil
}

func damaged(err error) error {
	return fmt.Errorf("%w: %w; keep the file, and restore a backup in its place", ErrDamaged, err)
}

// checker walks one file.
type checker struct {
	r    io.ReaderAt
	mem  []byte // the file, mapped; nil: r is read
	m    meta
	seen []uint64 // a bit for each page: it is in use
}

// use takes a page as in use; false: it was already.
func (c *checker) use(id uint64) bool {
	was := c.seen[id/64]
	c.seen[id/64] |= 1 << (id % 64)
	return was&(1<<(id%64)) == 0
}

// page reads a page with its overflow, and takes it as in use.
func (c *checker) page(id uint64) ([]byte, uint16, error) {
	size := uint64(c.m.pageSize)
	if id < 2 || id >= c.m.pages {
		return nil, 0, fmt.Errorf("page %d is not in the file", id)
	}
	head, err := c.read(id*size, pageHeader)
	if err != nil {
		return nil, 0, fmt.Errorf("page %d: %w", id, err)
	}
	e := binary.NativeEndian
	more := uint64(e.Uint32(head[12:]))
	if e.Uint64(head) != id || more >= c.m.pages-id {
		return nil, 0, fmt.Errorf("page %d has a wrong header", id)
	}
	for i := id; i <= id+more; i++ {
		if !c.use(i) {
			return nil, 0, fmt.Errorf("page %d is used twice", i)
		}
	}
	flags := e.Uint16(head[8:])
	buf, err := c.read(id*size, (more+1)*size)
	if err != nil {
		return nil, 0, fmt.Errorf("page %d: %w", id, err)
	}
	return buf, flags, nil
}

// read returns n bytes of the file, which the caller does not change.
func (c *checker) read(at, n uint64) ([]byte, error) {
	if c.mem != nil {
		return c.mem[at : at+n : at+n], nil
	}
	buf := make([]byte, n)
	_, err := c.r.ReadAt(buf, int64(at))
	return buf, err
}

// visit is called for every element of a tree's leaves; bucket says that the
// value is a bucket.
type visit func(key, value []byte, bucket bool) error

// tree walks the tree at page id. Below a root, a page is not empty and its
// first key is low, as its parent has it; all keys are smaller than high.
func (c *checker) tree(id uint64, low, high []byte, depth int, fn visit) error {
	if depth > maxDepth {
		return errors.New("the tree is too deep")
	}
	buf, flags, err := c.page(id)
	if err != nil {
		return err
	}
	switch flags {
	case flagLeaf:
		if err := leaf(buf, low, high, fn); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		return nil
	case flagBranch:
		return c.branch(id, buf, low, high, depth, fn)
	}
	return fmt.Errorf("page %d is of the wrong kind (%#x)", id, flags)
}

func (c *checker) branch(id uint64, buf, low, high []byte, depth int, fn visit) error {
	e := binary.NativeEndian
	n := int(e.Uint16(buf[10:]))
	if n < 2 || pageHeader+n*elementSize > len(buf) {
		return fmt.Errorf("page %d: %d elements do not fit", id, n)
	}
	keys, kids := make([][]byte, n), make([]uint64, n)
	for i := range n {
		at := pageHeader + i*elementSize
		el := buf[at:]
		key, _, err := slice(buf, at, e.Uint32(el), e.Uint32(el[4:]), 0)
		if err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		keys[i], kids[i] = key, e.Uint64(el[8:])
		if i > 0 && bytes.Compare(keys[i-1], key) >= 0 || i == 0 && low != nil && !bytes.Equal(key, low) || !below(key, high) {
			return fmt.Errorf("page %d: its keys are out of order", id)
		}
	}
	for i, kid := range kids {
		end := high
		if i+1 < n {
			end = keys[i+1]
		}
		if err := c.tree(kid, keys[i], end, depth+1, fn); err != nil {
			return err
		}
	}
	return nil
}

// leaf calls fn for the elements of a leaf page.
func leaf(buf, low, high []byte, fn visit) error {
	e := binary.NativeEndian
	n := int(e.Uint16(buf[10:]))
	if pageHeader+n*elementSize > len(buf) || n == 0 && low != nil {
		return fmt.Errorf("%d elements do not fit", n)
	}
	var last []byte
	for i := range n {
		at := pageHeader + i*elementSize
		el := buf[at:]
		key, value, err := slice(buf, at, e.Uint32(el[4:]), e.Uint32(el[8:]), e.Uint32(el[12:]))
		if err != nil {
			return err
		}
		if i > 0 && bytes.Compare(last, key) >= 0 || i == 0 && low != nil && !bytes.Equal(key, low) || !below(key, high) {
			return errors.New("its keys are out of order")
		}
		last = key
		if fn == nil && e.Uint32(el) != 0 {
			return errors.New("a bucket where none belongs")
		}
		if fn != nil {
			if err := fn(key, value, e.Uint32(el)&flagBucket != 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// slice returns the key and value of an element at offset at of buf.
func slice(buf []byte, at int, pos, ksize, vsize uint32) (key, value []byte, err error) {
	start := uint64(at) + uint64(pos)
	mid := start + uint64(ksize)
	end := mid + uint64(vsize)
	if ksize == 0 || end > uint64(len(buf)) {
		return nil, nil, errors.New("an element reaches out of its page")
	}
	return buf[start:mid], buf[mid:end], nil
}

func below(key, high []byte) bool { return high == nil || bytes.Compare(key, high) < 0 }

// buckets returns the values of the root's buckets by name.
func (c *checker) buckets() (map[string][]byte, error) {
	found := map[string][]byte{}
	err := c.tree(c.m.root, nil, nil, 0, func(key, value []byte, bucket bool) error {
		if !bucket {
			return fmt.Errorf("%q is not a bucket", key)
		}
		found[string(key)] = value
		return nil
	})
	return found, err
}

// bucket walks the bucket whose root value is v; it must hold no buckets. It
// is either a page of its own or stands, small, in v.
func (c *checker) bucket(v []byte, fn visit) error {
	if len(v) < 16 {
		return errors.New("its header is cut off")
	}
	e := binary.NativeEndian
	if root := e.Uint64(v); root != 0 {
		return c.tree(root, nil, nil, 0, fn)
	}
	page := v[16:]
	if len(page) < pageHeader || e.Uint64(page) != 0 || e.Uint16(page[8:]) != flagLeaf {
		return errors.New("its inline page has a wrong header")
	}
	return leaf(page, nil, nil, fn)
}

// mark looks for our mark and the file's version.
func (c *checker) mark(v []byte) error {
	if v == nil {
		return fmt.Errorf("%w: it is another program's bbolt file; name another file", ErrNotOurs)
	}
	schema := ""
	err := c.bucket(v, func(key, value []byte, bucket bool) error {
		if bucket {
			return errors.New("a bucket where none belongs")
		}
		if bytes.Equal(key, keySchema) {
			schema = string(value)
		}
		return nil
	})
	if err != nil {
		return damaged(err)
	}
	n, err := strconv.Atoi(schema)
	switch {
	case err != nil || n < 1:
		return fmt.Errorf("%w: its version is not a number; name another file", ErrNotOurs)
	case n > SchemaVersion:
		return fmt.Errorf("%w: it has version %d, this program knows up to %d; use a newer certmedic or an older backup", ErrNewer, n, SchemaVersion)
	}
	return nil
}

// freelist checks that no page is free twice or both free and in use.
func (c *checker) freelist() error {
	if c.m.freelist == noFreelist {
		return nil
	}
	buf, flags, err := c.page(c.m.freelist)
	if err != nil {
		return err
	}
	e := binary.NativeEndian
	n, at := uint64(e.Uint16(buf[10:])), pageHeader
	if n == 0xFFFF { // the first entry is the count
		n, at = e.Uint64(buf[pageHeader:]), pageHeader+8
	}
	if flags != flagFreelist || n > uint64(len(buf)-at)/8 {
		return errors.New("the list of free pages has a wrong header")
	}
	for i := range n {
		id := e.Uint64(buf[uint64(at)+8*i:])
		if id < 2 || id >= c.m.pages || !c.use(id) {
			return fmt.Errorf("page %d is in the list of free pages by mistake", id)
		}
	}
	return nil
}
