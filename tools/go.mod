module github.com/gatehouse-dev/gatehouse/tools

go 1.26.0
