package cloudtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// MotoAccount is the account of whoever comes to moto without a role. Its other
// accounts are those of the roles that somebody assumes.
const MotoAccount = "123456789012"

// Moto starts moto_server, a stand-in for AWS that nobody here wrote, on a port of
// its own for as long as the test runs, and returns its address. Where there is
// none the test is skipped, also in CI: it comes with Python alone.
func Moto(t *testing.T) (endpoint string) {
	t.Helper()
	if testing.Short() {
		t.Skip("moto takes some seconds")
	}
	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("no moto_server on the PATH (pip install 'moto[server]')")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close() // moto takes its port
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, program, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	if err := server.Start(); err != nil {
		cancel()
		t.Skipf("start moto: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		_ = server.Wait() // it was killed
	})
	endpoint = fmt.Sprintf("http://127.0.0.1:%d", port)
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if motoAnswers(ctx, http.MethodGet, endpoint+"/moto-api/data.json") == nil {
			return endpoint
		}
		if time.Now().After(end) {
			t.Skip("moto did not begin within a minute")
		}
	}
}

// ResetMoto forgets all that moto holds.
func ResetMoto(t *testing.T, endpoint string) {
	t.Helper()
	if err := motoAnswers(t.Context(), http.MethodPost, endpoint+"/moto-api/reset"); err != nil {
		t.Fatal("reset moto:", err)
	}
}

func motoAnswers(ctx context.Context, method, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, address, answer.Status)
	}
	return nil
}
