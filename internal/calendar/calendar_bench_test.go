package calendar

import (
	"math/rand/v2"
	"testing"
	"time"
)

// benchDef is an ordinary office schedule: three periods on New York's clock.
var benchDef = ScheduleDef{
	Name: "office", Timezone: "America/New_York", Periods: PeriodRefs{"day@m5.large", "evening", "weekend@t3.small"},
}

var benchPeriods = map[string]PeriodDef{
	"day":     {BeginTime: "08:00", EndTime: "18:00", Weekdays: DayField{"mon-fri"}},
	"evening": {BeginTime: "18:00", EndTime: "22:30", Weekdays: DayField{"mon,wed,friL"}},
	"weekend": {BeginTime: "10:00", EndTime: "16:00", Weekdays: DayField{"sat-sun"}, Months: DayField{"mar-oct"}},
}

func benchSchedule(b *testing.B) *Schedule {
	b.Helper()
	s, err := Compile(benchDef, benchPeriods, nil)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

var benchYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const yearSeconds = 365 * daySeconds

// BenchmarkWanted asks for the state at instants of a year, in order as a preview does, and in no order. One operation
// is one evaluation. The answers are added up: a branch on each would measure the processor's guesses at them.
func BenchmarkWanted(b *testing.B) {
	begin := benchYear.Unix()
	const n = 1 << 13
	rising, random, times := make([]int64, n), make([]int64, n), make([]time.Time, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		rising[i] = begin + int64(i)*(yearSeconds/n)
		random[i] = begin + r.Int64N(yearSeconds)
		times[i] = time.Unix(random[i], 0)
	}
	run := func(name string, evaluate func(s *Schedule, n int) (sum int)) {
		b.Run(name, func(b *testing.B) {
			s := benchSchedule(b)
			b.ReportAllocs()
			b.ResetTimer()
			if evaluate(s, b.N) < 0 {
				b.Fatal("no state is negative")
			}
		})
	}
	run("rising", func(s *Schedule, count int) (sum int) {
		for i := range count {
			sum += int(s.WantedUnix(rising[i&(n-1)]).State)
		}
		return sum
	})
	run("random", func(s *Schedule, count int) (sum int) {
		for i := range count {
			sum += int(s.WantedUnix(random[i&(n-1)]).State)
		}
		return sum
	})
	run("random/time.Time", func(s *Schedule, count int) (sum int) {
		for i := range count {
			sum += int(s.Wanted(times[i&(n-1)]).State)
		}
		return sum
	})
	// State, period and type, copied into a variable.
	run("random/whole answer", func(s *Schedule, count int) (sum int) {
		for i := range count {
			w := s.WantedUnix(random[i&(n-1)])
			sum += int(w.State) + len(w.Period) + len(w.InstanceType)
		}
		return sum
	})
}

// BenchmarkWantedOnce compiles a schedule and asks it a single question, as eval does for each of its lines.
func BenchmarkWantedOnce(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		benchSchedule(b).Wanted(benchYear)
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		benchSchedule(b)
	}
}

func BenchmarkChunk(b *testing.B) {
	s := benchSchedule(b)
	b.ReportAllocs()
	for b.Loop() {
		c := chunk{line: s.line(benchYear.Unix() >> chunkBits)}
		c.summarise()
	}
}

func BenchmarkNext(b *testing.B) {
	s := benchSchedule(b)
	r := rand.New(rand.NewPCG(1, 2))
	times := make([]time.Time, 1<<12)
	for i := range times {
		times[i] = benchYear.Add(time.Duration(r.Int64N(yearSeconds)) * time.Second)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok := s.Next(times[i&(len(times)-1)]); !ok {
			b.Fatal("no boundary")
		}
	}
}

// BenchmarkWantedOnSpecialDates asks a schedule with a year of days off and exceptions: warm at random instants, and from
// nothing for one.
func BenchmarkWantedOnSpecialDates(b *testing.B) {
	def := benchDef
	days := HolidaysDef{Name: "h"}
	for day := range Date(120) {
		at := DateOf(2026, 1, 1) + 3*day
		days.Days = append(days.Days, DayOffDef{Date: at.String()})
		def.Exceptions = append(def.Exceptions, Exception{From: at + 1, To: at + 1, Type: StopException, None: day%4 == 0, Value: 21 * 60})
	}
	h, err := CompileHolidays(days)
	if err != nil {
		b.Fatal(err)
	}
	def.Holidays = []*Holidays{h}
	compile := func() *Schedule {
		s, err := Compile(def, benchPeriods, nil)
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	b.Run("random", func(b *testing.B) {
		s, r, sum := compile(), rand.New(rand.NewPCG(1, 2)), 0
		var at [1 << 13]int64
		for i := range at {
			at[i] = benchYear.Unix() + r.Int64N(yearSeconds)
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			sum += int(s.WantedUnix(at[i&(len(at)-1)]).State)
		}
		if sum < 0 {
			b.Fatal("no state is negative")
		}
	})
	b.Run("compiled and asked once", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			compile().WantedUnix(benchYear.Unix())
		}
	})
}

// BenchmarkNextNever looks ahead over the whole Horizon, in vain.
func BenchmarkNextNever(b *testing.B) {
	for name, p := range map[string]PeriodDef{
		"always": {BeginTime: "00:00", EndTime: "24:00"},
		"never":  {MonthDays: DayField{"31"}, Months: DayField{"feb"}},
	} {
		b.Run(name, func(b *testing.B) {
			s, err := Compile(ScheduleDef{Periods: PeriodRefs{"p"}}, map[string]PeriodDef{"p": p}, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if found, ok := s.Next(benchYear); ok {
					b.Fatal(found)
				}
			}
		})
	}
}

// BenchmarkBoundaries walks over all the boundaries of a year: laid out before, and from nothing.
func BenchmarkBoundaries(b *testing.B) {
	walk := func(s *Schedule) (n int) {
		for range s.Boundaries(benchYear, benchYear.AddDate(1, 0, 0)) {
			n++
		}
		return n
	}
	b.Run("warm", func(b *testing.B) {
		s := benchSchedule(b)
		b.ReportAllocs()
		for b.Loop() {
			if walk(s) < 500 {
				b.Fatal("too few")
			}
		}
	})
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if walk(benchSchedule(b)) < 500 {
				b.Fatal("too few")
			}
		}
	})
}

// BenchmarkNextFire asks for the next fire after instants of a year, in no order.
func BenchmarkNextFire(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	times := make([]time.Time, 1<<12)
	for i := range times {
		times[i] = benchYear.Add(time.Duration(r.Int64N(yearSeconds)) * time.Second)
	}
	for name, text := range map[string]string{
		"office":         "cron(0 18 ? * MON-FRI *)",
		"every minute":   "* 9-17 * * 1-5",
		"last Friday":    "cron(15 10 ? * 6L *)",
		"29 February":    "cron(0 0 29 2 ? *)",
		"fifth Monday":   "cron(0 0 ? 2 MON#5 *)",
		"years are over": "cron(0 0 * * ? 2020)",
		"rate":           "rate(5 minutes)",
	} {
		b.Run(name, func(b *testing.B) {
			e := expression(b, text, "America/New_York")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e.Next(times[i&(len(times)-1)])
			}
		})
	}
}

// BenchmarkFires walks over all fires of a year, in order.
func BenchmarkFires(b *testing.B) {
	e := expression(b, "cron(0/15 9-17 ? * MON-FRI *)", "America/New_York")
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		for range e.Fires(benchYear, benchYear.AddDate(1, 0, 0)) {
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/fire")
}

func BenchmarkParseExpression(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseExpression("cron(0 18 ? * MON-FRI *)", time.UTC, benchYear); err != nil {
			b.Fatal(err)
		}
	}
}
