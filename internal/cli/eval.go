package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dayshift/internal/service"
)

// maxQuestion bounds one line of eval: far more than a schedule with a hundred periods.
const maxQuestion = 1 << 20

func evalCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "eval",
		Short: "Answer questions about schedules and rules: JSON lines in, one JSON line out for each",
		Long: `Reads one JSON object a line from standard input and writes one JSON line for
each, in the same order, with the question's "id" repeated where it has one.

  {"schedule":{…},"periods":[…],"at":"2027-02-05T09:00:00Z"}
      → {"state":"running|stopped|any","period":"…","instance_type":"…"}
  the same with "exceptions":[{"date":"2027-02-05","type":"stop","value":"21:00"}]
  and "holidays":{"kr":{"builtin":"kr","days":[{"date":"2027-02-08"}],
   "make_up":[{"date":"2027-02-13","as":"mon"}]}}, named by "holidays":["kr"] in
  the schedule; "special":["…"] then says what is out of the ordinary
  {"field":"weekdays|monthdays|months","text":"…","year":2027,"month":2}
      → {"days":[…]} or {"months":[…]}
  {"expression":"cron(0 18 ? * MON-FRI *)","timezone":"Asia/Seoul",
   "from":"2027-02-05T00:00:00Z","to":"2027-02-12T00:00:00Z"}
      → {"fires":["2027-02-05T09:00:00Z",…]}, those after "from" up to "to"

An expression is EventBridge's cron(…), rate(…) or at(…), or five-field Unix
cron. Its zone is UTC where none is given; a rate is counted from "anchor", or
from "from".

Anything refused is answered with {"error":"…"}. Field names are those of the
configuration. Use it to check a migration: what will this schedule do?`,
		Example: `  echo '{"schedule":{"name":"s","timezone":"Asia/Seoul","periods":["p"]},"periods":[{"name":"p","begintime":"09:00","endtime":"18:00","weekdays":"mon-fri"}],"at":"2027-02-05T01:00:00Z"}' | dayshift eval`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answered := make(chan error, 1)
			go func() { answered <- evalLines(cmd.InOrStdin(), cmd.OutOrStdout()) }()
			select {
			case err := <-answered:
				return err
			case <-cmd.Context().Done(): // reading can not be broken off; it ends with the process
				return &exitError{exitFailed, nil}
			}
		},
	}
}

func evalLines(in io.Reader, out io.Writer) error {
	reader := bufio.NewReaderSize(in, 64<<10)
	writer := bufio.NewWriterSize(out, 64<<10)
	for {
		line, tooLong, err := readLine(reader)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read standard input: %w", err)
		}
		ended := errors.Is(err, io.EOF)
		if len(bytes.TrimSpace(line)) > 0 || tooLong {
			answer := service.Answer{Error: fmt.Sprintf("not a question: the line is longer than %d bytes", maxQuestion)}
			if !tooLong {
				answer = service.Eval(line)
			}
			encoded, err := json.Marshal(answer)
			if err != nil {
				return fmt.Errorf("encode an answer: %w", err)
			}
			if _, err := writer.Write(append(encoded, '\n')); err != nil {
				return fmt.Errorf("write an answer: %w", err)
			}
		}
		// A program that asks one question at a time waits for its answer, even
		// with the beginning of the next one sent.
		waiting, _ := reader.Peek(reader.Buffered()) // what is buffered can be peeked at
		if ended || bytes.IndexByte(waiting, '\n') < 0 {
			if err := writer.Flush(); err != nil {
				return fmt.Errorf("write answers: %w", err)
			}
		}
		if ended {
			return nil
		}
	}
}

// readLine returns the next line, at most maxQuestion bytes of it; what is
// longer is read to its end and said to be too long.
func readLine(reader *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := reader.ReadSlice('\n')
		if len(line)+len(part) > maxQuestion {
			tooLong, line = true, line[:0]
		} else if !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}
