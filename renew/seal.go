package renew

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealVersion is the first byte of everything sealed: version 1 is
// XChaCha20-Poly1305 with a random nonce (24 bytes, after the version byte) and
// the purpose as additional data. Another cipher gets another number; Open
// keeps reading the old ones.
const sealVersion = 1

// Environment variables that MasterKey reads.
const (
	envMasterKey     = "CERTMEDIC_MASTER_KEY"
	envMasterKeyFile = "CERTMEDIC_MASTER_KEY_FILE"
)

// ErrMasterKey: the master key is missing, unsafe or does not fit.
var ErrMasterKey = errors.New("master key")

// Sealer seals private keys with XChaCha20-Poly1305 before they are stored.
type Sealer struct{ key [32]byte }

// NewSealer makes a Sealer from a 32-byte master key.
func NewSealer(master []byte) (*Sealer, error) {
	if len(master) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("%w: it has %d bytes, it must have %d", ErrMasterKey, len(master), chacha20poly1305.KeySize)
	}
	s := &Sealer{}
	copy(s.key[:], master)
	return s, nil
}

// String keeps the key out of %v and slog.
func (s *Sealer) String() string { return "sealer" }

// GoString keeps the key out of %#v.
func (s *Sealer) GoString() string { return "sealer" }

// Seal encrypts plain for one purpose (for example "key/R-12"); Open refuses
// it under any other.
func (s *Sealer) Seal(purpose string, plain []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(s.key[:])
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	out := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(plain)+aead.Overhead())
	out[0] = sealVersion
	if _, err := rand.Read(out[1:]); err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	return aead.Seal(out, out[1:], plain, additional(purpose)), nil
}

// Open decrypts what Seal made.
func (s *Sealer) Open(purpose string, sealed []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(s.key[:])
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", purpose, err)
	}
	head := 1 + aead.NonceSize()
	if len(sealed) < head+aead.Overhead() {
		return nil, fmt.Errorf("open %s: too short to be sealed", purpose)
	}
	if sealed[0] != sealVersion {
		return nil, fmt.Errorf("open %s: sealed by a newer certmedic (version %d)", purpose, sealed[0])
	}
	plain, err := aead.Open(nil, sealed[1:head], sealed[head:], additional(purpose))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w does not fit what it sealed; give certmedic the master key that the record was made with", purpose, ErrMasterKey)
	}
	return plain, nil
}

func additional(purpose string) []byte { return []byte("certmedic\x00" + purpose) }

// MasterKey returns the master key: from the environment variable
// CERTMEDIC_MASTER_KEY (base64, 32 bytes) when it is set, from the file that
// CERTMEDIC_MASTER_KEY_FILE names, else from the file at path, which is made
// (mode 0600) when neither it nor haveData exists. A file holds the 32 bytes
// in base64; one that others than its owner can read is refused.
func MasterKey(path string, haveData bool) ([]byte, error) {
	if v, ok := os.LookupEnv(envMasterKey); ok && v != "" {
		key, err := decodeMaster(v)
		if err != nil {
			return nil, fmt.Errorf("%w in %s: %w", ErrMasterKey, envMasterKey, err)
		}
		return key, nil
	}
	if named := os.Getenv(envMasterKeyFile); named != "" {
		key, err := readMaster(named)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s names %s, which does not exist", ErrMasterKey, envMasterKeyFile, named)
		}
		return key, err
	}
	key, err := readMaster(path)
	switch {
	case err == nil:
		return key, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case haveData:
		return nil, fmt.Errorf("%w: %s is missing, and the record holds private keys sealed with it; put the file back from its backup, or set %s", ErrMasterKey, path, envMasterKey)
	}
	return makeMaster(path)
}

func readMaster(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMasterKey, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s can be read by others (mode %04o); run: chmod 600 %s", ErrMasterKey, path, mode, path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMasterKey, err)
	}
	key, err := decodeMaster(string(b))
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w", ErrMasterKey, path, err)
	}
	return key, nil
}

// makeMaster makes the file whole or not at all: it is written beside and
// linked to its name, which fails when somebody else was quicker.
func makeMaster(path string) ([]byte, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMasterKey, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".master-*") // mode 0600, O_EXCL
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMasterKey, err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return readMaster(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMasterKey, err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // some file systems cannot; the key is written all the same
		dir.Close()
	}
	return key, nil
}

// decodeMaster never repeats what it was given in its error.
func decodeMaster(s string) ([]byte, error) {
	s = strings.TrimSpace(s)
	key, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		key, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	}
	if err != nil {
		return nil, errors.New("it is not base64; make one with: openssl rand -base64 32")
	}
	if len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("it has %d bytes, it must have %d; make one with: openssl rand -base64 32", len(key), chacha20poly1305.KeySize)
	}
	return key, nil
}
