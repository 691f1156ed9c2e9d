package awssim

// Accounts of the demo fleet.
const (
	DemoShop    = "111122223333" // online shop: Seoul, Virginia
	DemoData    = "555566667777" // data and load tests: Virginia, Ireland
	DemoChina   = "444455556666" // the shop in China: Beijing, Ningxia
	DemoRole    = "dayshift"     // the role to assume in each account
	DemoTrustID = "dayshift-demo"
)

// DemoFleet is a company to look at: some 300 resources of three accounts, one
// of them in China's partition. Most carry a schedule in the tag Schedule
// (seoul-office, cn-office-hours, us-batch-nights, weekend-loadtest,
// eu-office); some none; and some are in the way: protected, spot, members of
// an Auto Scaling group, without a root volume, out of capacity, replicas.
func DemoFleet() Fleet {
	f := Fleet{Capacity: []Capacity{{Zone: "us-east-1b", Type: "c5.4xlarge", Free: 3}}}
	for _, a := range []struct{ id, name, part string }{{DemoShop, "shop", "aws"}, {DemoData, "data", "aws"}, {DemoChina, "shop-china", "aws-cn"}} {
		role := Role{Name: DemoRole}
		if a.id != DemoShop { // which is where Dayshift itself lives
			role.ExternalID = DemoTrustID
		}
		f.Accounts = append(f.Accounts, Account{ID: a.id, Name: a.name, Partition: a.part, Roles: []Role{role}})
	}
	type extra func(*Resource)
	tag := func(k, v string) extra { return func(r *Resource) { r.Tags[k] = v } }
	add := func(account, region, kind, name string, count int, typ, schedule, state string, more ...extra) {
		r := Resource{Account: account, Region: region, Kind: kind, Name: name, Count: count, Type: typ, State: state, Tags: map[string]string{}}
		if schedule != "" {
			r.Tags["Schedule"] = schedule
		}
		for _, m := range more {
			m(&r)
		}
		f.Resources = append(f.Resources, r)
	}
	env := func(v string) extra { return tag("Env", v) }
	protect := tag("dayshift:protect", "true")
	engine := func(name string) extra { return func(r *Resource) { r.Engine = name } }

	const seoul, virginia, ireland, beijing, ningxia = "ap-northeast-2", "us-east-1", "eu-west-1", "cn-north-1", "cn-northwest-1"

	// The shop in Seoul.
	add(DemoShop, seoul, "ec2", "shop-dev-web-##", 24, "t3.medium", "seoul-office", "stopped", env("dev"))
	add(DemoShop, seoul, "ec2", "shop-dev-api-##", 14, "t3.large", "seoul-office", "stopped", env("dev"))
	add(DemoShop, seoul, "ec2", "shop-staging-web-##", 10, "m5.large", "seoul-office", "stopped", env("staging"))
	add(DemoShop, seoul, "ec2", "shop-staging-search-##", 4, "r6g.large", "seoul-office", "stopped", env("staging"))
	add(DemoShop, seoul, "ec2", "결제-dev-##", 6, "t3.small", "seoul-office", "stopped", env("dev"))
	add(DemoShop, seoul, "ec2", "shop-prod-web-##", 12, "m6i.large", "", "running", env("prod"), protect)
	add(DemoShop, seoul, "ec2", "shop-prod-edge", 0, "c6i.large", "seoul-office", "running", env("prod"), protect)
	add(DemoShop, seoul, "ec2", "shop-dev-workers-##", 3, "t3.medium", "seoul-office", "running", env("dev"), func(r *Resource) { r.ASG = "shop-dev-workers" })
	add(DemoShop, seoul, "ec2", "shop-dev-legacy", 0, "m4.large", "seoul-office", "stopped", env("dev"), func(r *Resource) { r.Root = "missing" })
	add(DemoShop, seoul, "ec2", "shop-bastion", 0, "t3.nano", "", "running", tag("Team", "platform"))
	add(DemoShop, seoul, "rds", "shop-dev-db-#", 4, "db.t3.medium", "seoul-office", "stopped", env("dev"), engine("mysql"))
	add(DemoShop, seoul, "rds", "shop-staging-db", 0, "db.r6g.large", "seoul-office", "stopped", env("staging"))
	add(DemoShop, seoul, "rds", "shop-report-db", 0, "db.m5.large", "seoul-office", "available", env("staging"))
	add(DemoShop, seoul, "rds", "shop-report-db-replica", 0, "db.m5.large", "seoul-office", "available", env("staging"), func(r *Resource) { r.ReplicaOf = "shop-report-db" })
	add(DemoShop, seoul, "rds", "shop-prod-db", 0, "db.r6g.2xlarge", "", "available", env("prod"), protect, func(r *Resource) { r.MultiAZ, r.Protected = true, true })

	// Its payment environment, which goes up and down as a whole.
	add(DemoShop, seoul, "rds", "payments-db", 0, "db.r6g.large", "", "stopped", tag("App", "payments"), tag("Tier", "db"))
	add(DemoShop, seoul, "ec2", "payments-service-#", 4, "m5.large", "", "stopped", tag("App", "payments"), tag("Tier", "service"))
	add(DemoShop, seoul, "ec2", "payments-web-#", 3, "t3.medium", "", "stopped", tag("App", "payments"), tag("Tier", "web"))

	// Batch and load tests in Virginia.
	add(DemoShop, virginia, "ec2", "loadgen-##", 20, "c5.2xlarge", "weekend-loadtest", "stopped", tag("Team", "performance"))
	add(DemoShop, virginia, "ec2", "loadgen-big-##", 5, "c5.4xlarge", "weekend-loadtest", "stopped", tag("Team", "performance"), func(r *Resource) { r.Zone = "us-east-1b" })
	add(DemoData, virginia, "ec2", "batch-etl-##", 30, "m5.2xlarge", "us-batch-nights", "stopped", tag("Team", "data"))
	add(DemoData, virginia, "ec2", "batch-train-##", 6, "g4dn.xlarge", "us-batch-nights", "stopped", tag("Team", "ml"))
	add(DemoData, virginia, "ec2", "batch-secrets", 0, "m5.large", "us-batch-nights", "stopped", tag("Team", "data"), func(r *Resource) { r.StartError = "Client.InternalError" })
	add(DemoData, virginia, "ec2", "batch-spot", 0, "m5.large", "us-batch-nights", "running", tag("Team", "data"), func(r *Resource) { r.Spot = "one-time" })
	add(DemoData, virginia, "ec2", "notebook-##", 8, "t3.xlarge", "", "running", tag("Team", "ml"), func(r *Resource) { r.Hibernation = true })
	add(DemoData, virginia, "rds", "warehouse-stage-#", 3, "db.r5.xlarge", "us-batch-nights", "stopped", tag("Team", "data"))
	add(DemoData, virginia, "rds", "warehouse-prod", 0, "db.r5.4xlarge", "", "available", tag("Team", "data"), protect)

	// Offices in Ireland.
	add(DemoData, ireland, "ec2", "crm-dev-##", 16, "t4g.medium", "eu-office", "stopped", env("dev"))
	add(DemoData, ireland, "ec2", "crm-test-##", 10, "t4g.large", "eu-office", "stopped", env("test"))
	add(DemoData, ireland, "ec2", "crm-pinned", 0, "t3.large", "eu-office", "running", env("test"), func(r *Resource) { r.DisableStop = true })
	add(DemoData, ireland, "ec2", "crm-demo-##", 4, "m5.large", "", "running", env("demo"))
	add(DemoData, ireland, "rds", "crm-dev-db-#", 2, "db.t3.large", "eu-office", "stopped", env("dev"))
	add(DemoData, ireland, "rds", "crm-test-sqlserver", 0, "db.m5.large", "eu-office", "available", env("test"), engine("sqlserver-se"), func(r *Resource) { r.MultiAZ = true })

	// The shop in China.
	add(DemoChina, beijing, "ec2", "商城-dev-web-##", 30, "t3.medium", "cn-office-hours", "stopped", env("dev"))
	add(DemoChina, beijing, "ec2", "商城-dev-api-##", 14, "t3.large", "cn-office-hours", "stopped", env("dev"))
	add(DemoChina, beijing, "ec2", "结算-staging-##", 8, "m5.large", "cn-office-hours", "stopped", env("staging"))
	add(DemoChina, beijing, "ec2", "商城-prod-web-##", 10, "m5.xlarge", "", "running", env("prod"), protect)
	add(DemoChina, beijing, "rds", "settlement-staging-db-#", 3, "db.t3.large", "cn-office-hours", "stopped", env("staging"), tag("Name", "结算-staging-db"), engine("mysql"))
	add(DemoChina, ningxia, "ec2", "商城-qa-##", 18, "t3.medium", "cn-office-hours", "stopped", env("qa"))
	add(DemoChina, ningxia, "ec2", "数据-sync-##", 4, "m5.large", "cn-office-hours", "stopped", env("qa"))
	add(DemoChina, ningxia, "ec2", "归档-##", 3, "t3.small", "", "stopped", tag("Team", "archive"))
	add(DemoChina, ningxia, "rds", "qa-db-#", 3, "db.t3.medium", "cn-office-hours", "stopped", env("qa"), engine("mariadb"))
	return f
}
