package directory

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// secretBytesMax bounds a secret's file: a token, not a mistyped path to a disk image.
const secretBytesMax = 64 << 10

// ResolveSecret returns the secret that ref names: env:NAME, or file:PATH without the
// white space around it. Errors name the reference and never hold what it refers to.
func ResolveSecret(ref string) (string, error) {
	scheme, name, err := splitReference(ref)
	if err != nil {
		return "", err
	}
	if scheme == "env" {
		return fromEnvironment(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("directory: secret %s: %w", ref, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, secretBytesMax+1))
	if err != nil {
		return "", fmt.Errorf("directory: secret %s: %w", ref, err)
	}
	if len(text) > secretBytesMax {
		return "", fmt.Errorf("directory: secret %s: larger than %d KB", ref, secretBytesMax>>10)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("directory: secret %s: the file is empty", ref)
	}
	return secret, nil
}

// ResolveFile returns the path that ref names, for what is read as a file (certificates,
// keys): PATH of file:PATH, or the path that the environment variable of env:NAME holds.
// An empty ref is an empty path.
func ResolveFile(ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	scheme, name, err := splitReference(ref)
	if err != nil {
		return "", err
	}
	if scheme == "env" {
		return fromEnvironment(name)
	}
	return name, nil
}

func fromEnvironment(name string) (string, error) {
	if v := strings.TrimSpace(os.Getenv(name)); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("directory: secret env:%s: the variable is not set", name)
}

// splitReference never quotes ref in its error: it may be the secret itself.
func splitReference(ref string) (scheme, name string, err error) {
	scheme, name, ok := strings.Cut(ref, ":")
	if !ok || (scheme != "env" && scheme != "file") || name == "" || strings.ContainsRune(name, 0) {
		return "", "", fmt.Errorf("directory: a secret is given by reference, env:NAME or file:PATH")
	}
	return scheme, name, nil
}
