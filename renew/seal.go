package renew

// Sealer seals private keys with XChaCha20-Poly1305 before they are stored.
type Sealer struct{ key [32]byte }

// NewSealer makes a Sealer from a 32-byte master key.
func NewSealer(master []byte) (*Sealer, error) { panic("unwritten") }

// MasterKey returns the master key: from the environment variable
// CERTMEDIC_MASTER_KEY (base64, 32 bytes) when it is set, from the file that
// CERTMEDIC_MASTER_KEY_FILE names, else from the file at path, which is made
// (mode 0600) when neither it nor haveData exists.
func MasterKey(path string, haveData bool) ([]byte, error) { panic("unwritten") }

// Seal encrypts plain for one purpose (for example "key/R-12"); Open refuses
// it under any other.
func (s *Sealer) Seal(purpose string, plain []byte) ([]byte, error) { panic("unwritten") }

// Open decrypts what Seal made.
func (s *Sealer) Open(purpose string, sealed []byte) ([]byte, error) { panic("unwritten") }
