package restapis

import (
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Method settings are kept under the key that the caller used: */*, pets/GET, or ~1pets~1{id}/GET. What is not set
// has AWS's default, or the value of */*.

// The account's limits, which are what a method has that is not throttled by itself.
const (
	defaultRate  = 10000.0
	defaultBurst = 5000
)

// settings are a stage's method settings by path and method, "*" for all.
type settings map[[2]string]v1.MethodSetting

func settingsOf(st *v1.Stage) settings {
	out := settings{}
	for key, m := range st.MethodSettings {
		i := strings.LastIndexByte(key, '/')
		if i < 0 {
			continue
		}
		path, method := unescape.Replace(key[:i]), key[i+1:]
		if path != "*" {
			path = "/" + strings.TrimPrefix(path, "/")
		}
		out[[2]string{path, method}] = m
	}
	return out
}

// of returns the settings of a method: its own, else those of all methods of the resource, else those of */*.
func (s settings) of(path, method string) Settings {
	var m v1.MethodSetting
	for _, k := range [][2]string{{"*", "*"}, {path, "*"}, {path, method}} {
		o := s[k]
		m.MetricsEnabled = orElse(o.MetricsEnabled, m.MetricsEnabled)
		m.LoggingLevel = orElse(o.LoggingLevel, m.LoggingLevel)
		m.DataTraceEnabled = orElse(o.DataTraceEnabled, m.DataTraceEnabled)
		m.ThrottlingBurstLimit = orElse(o.ThrottlingBurstLimit, m.ThrottlingBurstLimit)
		m.ThrottlingRateLimit = orElse(o.ThrottlingRateLimit, m.ThrottlingRateLimit)
	}
	out := Settings{Metrics: shape.Val(m.MetricsEnabled), Logging: *or(m.LoggingLevel, "OFF"), DataTrace: shape.Val(m.DataTraceEnabled)}
	if m.ThrottlingBurstLimit != nil || m.ThrottlingRateLimit != nil {
		t := &Throttle{Rate: *or(m.ThrottlingRateLimit, defaultRate), Burst: *or(m.ThrottlingBurstLimit, defaultBurst)}
		if t.Rate >= 0 && t.Burst >= 0 { // -1 switches throttling off
			out.Throttle = t
		}
	}
	return out
}

// completed fills in what AWS shows of settings that were not made.
func completed(m v1.MethodSetting) v1.MethodSetting {
	return v1.MethodSetting{
		MetricsEnabled: or(m.MetricsEnabled, false), LoggingLevel: or(m.LoggingLevel, "OFF"), DataTraceEnabled: or(m.DataTraceEnabled, false),
		ThrottlingBurstLimit: or(m.ThrottlingBurstLimit, defaultBurst), ThrottlingRateLimit: or(m.ThrottlingRateLimit, defaultRate),
		CachingEnabled: or(m.CachingEnabled, false), CacheTtlInSeconds: or(m.CacheTtlInSeconds, 300), CacheDataEncrypted: or(m.CacheDataEncrypted, false),
		RequireAuthorizationForCacheControl:    or(m.RequireAuthorizationForCacheControl, true),
		UnauthorizedCacheControlHeaderStrategy: or(m.UnauthorizedCacheControlHeaderStrategy, v1.UnauthorizedCacheControlHeaderStrategySucceedWithResponseHeader),
	}
}

// settingFields is what can be patched of method settings.
func settingFields() []field[v1.Stage] {
	at := func(name string, set func(*v1.MethodSetting, patch) error) field[v1.Stage] {
		return field[v1.Stage]{"/{resourcePath+}/{httpMethod}/" + name, "replace", func(st *v1.Stage, p patch) error {
			key, err := settingKey(p)
			if err != nil {
				return err
			}
			m := st.MethodSettings[key]
			p.args = nil
			if err := set(&m, p); err != nil {
				return err
			}
			if st.MethodSettings == nil {
				st.MethodSettings = map[string]v1.MethodSetting{}
			}
			st.MethodSettings[key] = m
			return nil
		}}
	}
	type m = v1.MethodSetting
	return []field[v1.Stage]{
		at("metrics/enabled", setBool(func(m *m) **bool { return &m.MetricsEnabled })),
		at("logging/loglevel", setEnum(func(m *m) **string { return &m.LoggingLevel }, "OFF", "ERROR", "INFO")),
		at("logging/dataTrace", setBool(func(m *m) **bool { return &m.DataTraceEnabled })),
		at("throttling/burstLimit", setInt(func(m *m) **int64 { return &m.ThrottlingBurstLimit })),
		at("throttling/rateLimit", setNumber(func(m *m) **float64 { return &m.ThrottlingRateLimit })),
		at("caching/enabled", setBool(func(m *m) **bool { return &m.CachingEnabled })),
		at("caching/ttlInSeconds", setInt(func(m *m) **int64 { return &m.CacheTtlInSeconds })),
		at("caching/dataEncrypted", setBool(func(m *m) **bool { return &m.CacheDataEncrypted })),
		at("caching/requireAuthorizationForCacheControl", setBool(func(m *m) **bool { return &m.RequireAuthorizationForCacheControl })),
		at("caching/unauthorizedCacheControlHeaderStrategy", setEnum(func(m *m) **string { return &m.UnauthorizedCacheControlHeaderStrategy },
			"FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER")),
		{"/{resourcePath+}/{httpMethod}", "remove", func(st *v1.Stage, p patch) error {
			key, err := settingKey(p)
			if err != nil {
				return err
			}
			delete(st.MethodSettings, key)
			return nil
		}},
	}
}

// settingKey is the key of the settings that an operation is about: the path's first segments as they were sent.
func settingKey(p patch) (string, error) {
	segments := strings.Split(strings.TrimPrefix(p.path, "/"), "/")
	if !p.removes() {
		segments = segments[:len(segments)-2]
	}
	method := segments[len(segments)-1]
	path := strings.Join(segments[:len(segments)-1], "/")
	if method != "*" && !slices.Contains(httpMethods, method) || path == "*" && method != "*" {
		return "", bad("Invalid method setting path: %s. Must be one of: [/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, "+
			"/accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, "+
			"/{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit, /{resourcePath}/{httpMethod}/throttling/rateLimit, "+
			"/{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, "+
			"/variables/{variable_name}, /*/*/…]", p.path)
	}
	return path + "/" + method, nil
}
