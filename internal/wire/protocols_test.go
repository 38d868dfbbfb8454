package wire_test

import "testing"

const (
	jsonType = "application/x-amz-json-1.1"
	formType = "application/x-www-form-urlencoded; charset=utf-8"
)

func TestAWSJSON(t *testing.T) {
	s, _ := testServer(t, nil)
	target := func(op string) map[string]string {
		return map[string]string{"X-Amz-Target": "AWSCognitoIdentityProviderService." + op, "Content-Type": jsonType}
	}
	with := func(h map[string]string, name, value string) map[string]string { h[name] = value; return h }
	run(t, s, []exchange{
		{name: "unsigned", header: target("InitiateAuth"), body: `{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"abc","AuthParameters":{"USERNAME":"a"}}`,
			status: 200, want: `{"AuthenticationResult":{"ExpiresIn":3600,"TokenType":"Bearer"}}`,
			headers: map[string]string{"X-Amzn-Requestid": "ID", "Content-Type": jsonType, "Content-Length": "64", "Access-Control-Allow-Origin": ""}},
		{name: "signed", header: target("ListUserPools"), scope: "cognito-idp", body: `{"MaxResults":5}`,
			status: 200, want: `{"UserPools":[{"Id":"p","CreationDate":1795262400}]}`},
		{name: "modelled error", header: target("InitiateAuth"), body: `{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"userunknown"}`,
			status: 400, want: `{"__type":"UserNotFoundException","message":"User does not exist."}`,
			headers: map[string]string{"X-Amzn-Requestid": "ID", "X-Amzn-Errortype": "UserNotFoundException:", "X-Amzn-Errormessage": "User does not exist.", "Content-Type": jsonType}},
		{name: "text with everything", header: target("InitiateAuth"), body: `{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"quotes"}`,
			status: 400, want: `{"__type":"NotAuthorizedException","message":"a \"b\" <c> & é\n"}`, headers: map[string]string{"X-Amzn-Errormessage": ""}},
		{name: "validation", header: target("InitiateAuth"), body: `{"AuthFlow":"NO","AuthParameters":{}}`,
			status: 400, want: `{"__type":"InvalidParameterException","message":"2 validation errors detected: Value 'NO' at 'authFlow' failed to satisfy constraint: Member must satisfy enum value set: [USER_SRP_AUTH, REFRESH_TOKEN_AUTH, REFRESH_TOKEN, CUSTOM_AUTH, ADMIN_NO_SRP_AUTH, USER_PASSWORD_AUTH, ADMIN_USER_PASSWORD_AUTH, USER_AUTH]; Value null at 'clientId' failed to satisfy constraint: Member must not be null"}`},
		{name: "no credentials", header: target("ListUserPools"), body: `{"MaxResults":5}`,
			status: 400, want: `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`},
		{name: "unknown operation", header: target("Frobnicate"), scope: "cognito-idp", body: `{}`,
			status: 400, want: `{"__type":"UnknownOperationException","message":"cognito-idp has no operation Frobnicate"}`},
		{name: "another content type", header: with(target("InitiateAuth"), "Content-Type", "application/json"), body: `{}`,
			status: 400, want: `{"__type":"UnknownOperationException","message":"A request to cognito-idp has Content-Type application/x-amz-json-1.1"}`},
		{name: "charset", header: with(target("InitiateAuth"), "Content-Type", jsonType+"; charset=utf-8"), body: `{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"abc"}`,
			status: 200, want: `{"AuthenticationResult":{"ExpiresIn":3600,"TokenType":"Bearer"}}`},
		{name: "not JSON", header: target("InitiateAuth"), body: `{"AuthFlow"`, status: 400, want: `{"__type":"SerializationException"}`},
		{name: "compressed", header: with(target("InitiateAuth"), "Content-Encoding", "gzip"), body: "\x1f\x8b",
			status: 415, want: `{"__type":"UnsupportedMediaTypeException","message":"Content-Encoding gzip is not supported"}`},
		{name: "too large", header: target("InitiateAuth"), body: string(make([]byte, 4097)),
			status: 413, want: `{"__type":"RequestEntityTooLargeException","message":"Request must be smaller than 4096 bytes for the InitiateAuth operation"}`,
			headers: map[string]string{"Connection": "close"}},
		{name: "from a browser", header: with(target("InitiateAuth"), "Origin", "http://localhost:3000"), body: `{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"userunknown"}`,
			status: 400, want: `{"__type":"UserNotFoundException","message":"User does not exist."}`,
			headers: map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"}},
		{name: "preflight", method: "OPTIONS", header: map[string]string{"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST",
			"Access-Control-Request-Headers": "cache-control,content-type,x-amz-target,x-amz-user-agent"},
			status: 200, headers: map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST", "Access-Control-Max-Age": "172800",
				"Access-Control-Allow-Headers": "cache-control,content-type,x-amz-target,x-amz-user-agent"}},
		{name: "preflight of an API", method: "OPTIONS", header: map[string]string{"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST",
			"Access-Control-Request-Headers": "content-type"}, status: 404, want: "404 page not found\n"},
		{name: "preflight of Lambda's", method: "OPTIONS", url: "/2015-03-31/functions/f/invocations", header: map[string]string{"Origin": "http://localhost:3000",
			"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-amz-date"}, status: 200},
	})
}

func TestRESTJSON(t *testing.T) {
	s, _ := testServer(t, nil)
	run(t, s, []exchange{
		{name: "payload", url: "/2015-03-31/functions/f%3A1/invocations", scope: "lambda", body: `{"a":1}`,
			status: 200, want: `f:1 {"a":1}`, headers: map[string]string{"X-Amz-Function-Error": "Unhandled", "X-Amz-Executed-Version": "$LATEST", "X-Amzn-Requestid": "ID"}},
		{name: "header in, status out", url: "/2015-03-31/functions/f/invocations", scope: "lambda", header: map[string]string{"X-Amz-Invocation-Type": "Event"},
			status: 202, want: `f `},
		{name: "enum in a header", url: "/2015-03-31/functions/f/invocations", scope: "lambda", header: map[string]string{"X-Amz-Invocation-Type": "Never"},
			status: 400, want: `{"message":"1 validation error detected: Value 'Never' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"}`,
			headers: map[string]string{"X-Amzn-Errortype": "ValidationException"}},
		{name: "bounded", url: "/2015-03-31/functions/f/invocations", scope: "lambda", body: string(make([]byte, 101)),
			status: 413, want: `{"message":"Request must be smaller than 100 bytes for the Invoke operation"}`, headers: map[string]string{"X-Amzn-Errortype": "RequestEntityTooLargeException"}},
		{name: "modelled error", method: "GET", url: "/2015-03-31/functions/nope", scope: "lambda",
			status: 404, want: `{"Type":"User","Message":"Function not found: nope"}`, headers: map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException", "Content-Type": "application/json"}},
		{name: "error with a header", method: "GET", url: "/2015-03-31/functions", scope: "lambda",
			status: 429, want: `{"Type":"User","message":"Rate exceeded","Reason":"CallerRateLimitExceeded"}`, headers: map[string]string{"Retry-After": "3"}},
		{name: "no content", method: "DELETE", url: "/2015-03-31/functions/f", scope: "lambda", status: 204, headers: map[string]string{"Content-Type": "", "Content-Length": ""}},
		{name: "repeated parameter", method: "DELETE", url: "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af?tagKeys=a&tagKeys=b%20c", scope: "lambda",
			status: 400, want: `{"Type":"User","message":"arn:aws:lambda:us-east-1:000000000000:function:f [\"a\" \"b c\"]"}`},
		{name: "number in the query", method: "GET", url: "/2015-03-31/functions?MaxItems=many", scope: "lambda",
			status: 400, want: `{"message":"The value of 'MaxItems' is not a valid integer."}`, headers: map[string]string{"X-Amzn-Errortype": "SerializationException"}},
		{name: "no credentials", method: "GET", url: "/2015-03-31/functions/f", status: 403, want: `{"message":"Missing Authentication Token"}`,
			headers: map[string]string{"X-Amzn-Errortype": "MissingAuthenticationTokenException"}},
		{name: "no such path", method: "GET", url: "/2015-03-31/nothing", scope: "lambda", status: 404, want: `{"message":"lambda has no operation GET /2015-03-31/nothing"}`,
			headers: map[string]string{"X-Amzn-Errortype": "UnknownOperationException"}},
		{name: "not built", method: "GET", url: "/restapis", scope: "apigateway", status: 501, want: `{"message":"Gatehouse does not implement apigateway GetRestApis."}`,
			headers: map[string]string{"X-Amzn-Errortype": "NotImplementedException"}},
		{name: "all other parameters", method: "GET", url: "/restapis/a/stages/b/exports/oas30?extensions=apigateway", scope: "apigateway",
			status: 200, want: `a b oas30 apigateway`, headers: map[string]string{"Content-Type": "application/yaml"}},
		{name: "not JSON", method: "POST", url: "/restapis", scope: "apigateway", body: `{`, status: 400, want: `{"message":""}`, headers: map[string]string{"X-Amzn-Errortype": "SerializationException"}},
	})
}

func TestQuery(t *testing.T) {
	s, _ := testServer(t, nil)
	form := map[string]string{"Content-Type": formType}
	const cfn = `xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"`
	refusal := func(ns, code, msg string) string {
		return `<ErrorResponse xmlns="` + ns + `"><Error><Type>Sender</Type><Code>` + code + `</Code><Message>` + msg + `</Message></Error><RequestId>ID</RequestId></ErrorResponse>` + "\n"
	}
	const cfnNS, stsNS = "http://cloudformation.amazonaws.com/doc/2010-05-15/", "https://sts.amazonaws.com/doc/2011-06-15/"
	run(t, s, []exchange{
		{name: "lists and structures", header: form, scope: "cloudformation",
			// What the CDK sends, with an empty list as "Tags=".
			body:   "Action=CreateStack&Version=2010-05-15&StackName=x&TemplateBody=%7B%7D&Parameters.member.2.ParameterKey=B&Parameters.member.2.ParameterValue=&Parameters.member.10.ParameterKey=C&Parameters.member.1.ParameterKey=A&Parameters.member.1.ParameterValue=a+b%2Bc&Tags=&Capabilities.member.1=CAPABILITY_IAM&Capabilities.member.2=CAPABILITY_AUTO_EXPAND&Unknown.member.1=x",
			status: 200, want: `<CreateStackResponse ` + cfn + `><CreateStackResult><StackId>A=a b+c;B=;C=;no tags;CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND</StackId></CreateStackResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></CreateStackResponse>` + "\n",
			headers: map[string]string{"Content-Type": "text/xml", "X-Amzn-Requestid": "ID"}},
		{name: "output", header: form, scope: "cloudformation", body: "Action=DescribeStacks&Version=2010-05-15",
			status: 200, want: `<DescribeStacksResponse ` + cfn + `><DescribeStacksResult><Stacks><member><StackName>s</StackName><CreationTime>2026-11-21T12:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><DisableRollback>false</DisableRollback><Capabilities><member>CAPABILITY_IAM</member></Capabilities><Outputs><member><OutputKey>K</OutputKey><OutputValue>a&lt;b&gt;&amp;&#xD;` + "\n\uFFFDü" + `</OutputValue></member></Outputs><Tags></Tags></member></Stacks></DescribeStacksResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DescribeStacksResponse>` + "\n"},
		{name: "error", header: form, scope: "cloudformation", body: "Action=DescribeStacks&Version=2010-05-15&StackName=none",
			status: 400, want: refusal(cfnNS, "ValidationError", "Stack with id none does not exist")},
		{name: "validation", header: form, scope: "cloudformation", body: "Action=CreateStack&Version=2010-05-15&TemplateBody=x",
			status: 400, want: refusal(cfnNS, "ValidationError", "1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null")},
		{name: "no credentials", header: form, body: "Action=GetCallerIdentity&Version=2011-06-15",
			status: 403, want: refusal(stsNS, "MissingAuthenticationToken", "Request is missing Authentication Token")},
		{name: "unsigned, wire name of an error", header: form, body: "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fx&RoleSessionName=abc&WebIdentityToken=abcdef",
			status: 400, want: refusal(stsNS, "InvalidIdentityToken", "no")},
		{name: "by GET", method: "GET", url: "/?Action=GetCallerIdentity&Version=2011-06-15", scope: "sts",
			status: 200, want: `<GetCallerIdentityResponse xmlns="` + stsNS + `"><GetCallerIdentityResult><UserId>AKIDEXAMPLE</UserId><Account>000000000000</Account><Arn>arn:aws:iam::000000000000:root</Arn></GetCallerIdentityResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></GetCallerIdentityResponse>` + "\n"},
		{name: "unknown action", header: form, scope: "cloudformation", body: "Action=Frobnicate&Version=2010-05-15",
			status: 400, want: refusal(cfnNS, "InvalidAction", "Could not find operation Frobnicate for version 2010-05-15")},
		{name: "unknown version", header: form, scope: "cloudformation", body: "Action=DescribeStacks&Version=2012-01-01",
			status: 400, want: refusal(cfnNS, "InvalidAction", "Could not find operation DescribeStacks for version 2012-01-01")},
		{name: "no action", header: form, scope: "cloudformation", body: "StackName=x",
			status: 400, want: refusal(cfnNS, "MissingAction", "The request is missing an action or a required parameter.")},
		{name: "a huge index", header: form, scope: "cloudformation", body: "Action=CreateStack&Version=2010-05-15&StackName=x&Capabilities.member.999999999=CAPABILITY_IAM",
			status: 200, want: `<CreateStackResponse ` + cfn + `><CreateStackResult><StackId>CAPABILITY_IAM</StackId></CreateStackResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></CreateStackResponse>` + "\n"},
		{name: "not an index", header: form, scope: "cloudformation", body: "Action=CreateStack&Version=2010-05-15&StackName=x&Capabilities.member.first=CAPABILITY_IAM",
			status: 400, want: refusal(cfnNS, "MalformedInput", "Start of structure or map found where not expected: Capabilities")},
		{name: "a value where a list belongs", header: form, scope: "cloudformation", body: "Action=CreateStack&Version=2010-05-15&StackName=x&Capabilities=CAPABILITY_IAM",
			status: 400, want: refusal(cfnNS, "MalformedInput", "Unexpected value found where a list was expected: Capabilities")},
		{name: "not a boolean", header: form, scope: "cloudformation", body: "Action=CreateStack&Version=2010-05-15&StackName=x&DisableRollback=maybe",
			status: 400, want: refusal(cfnNS, "MalformedInput", "The value of parameter DisableRollback is not valid for its type.")},
		{name: "not a form", header: form, scope: "cloudformation", body: "Action=DescribeStacks&Version=2010-05-15&StackName=%zz",
			status: 400, want: refusal(cfnNS, "MalformedQueryString", "The query string is malformed.")},
		{name: "too large", header: form, scope: "cloudformation", body: "Action=DescribeStacks&Version=2010-05-15&StackName=" + string(make([]byte, 4096)),
			status: 413, want: refusal(cfnNS, "RequestEntityTooLarge", "Request must be smaller than 4096 bytes for the DescribeStacks operation")},
	})
}

func TestRESTXML(t *testing.T) {
	s, _ := testServer(t, nil)
	unsigned := func(more ...string) map[string]string {
		h := map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}
		for i := 0; i+1 < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	const prolog, ns = `<?xml version="1.0" encoding="UTF-8"?>` + "\n", `xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`
	const helloSum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	refusal := func(code, msg, resource string) string {
		return prolog + `<Error><Code>` + code + `</Code><Message>` + msg + `</Message>` + `<Resource>` + resource + `</Resource><RequestId>ID</RequestId><HostId>ID</HostId></Error>`
	}
	run(t, s, []exchange{
		{name: "stream out", method: "GET", url: "/b/k", scope: "s3", header: unsigned(), status: 200, want: "hello",
			headers: map[string]string{"Content-Length": "5", "Last-Modified": "Sat, 21 Nov 2026 12:00:00 GMT", "Etag": `"e"`, "x-amz-meta-colour": "red", "X-Amz-Request-Id": "ID", "X-Amzn-Requestid": ""}},
		{name: "range", method: "GET", url: "/b/k", scope: "s3", header: unsigned("Range", "bytes=0-4"), status: 206, want: "hello", headers: map[string]string{"Content-Range": "bytes 0-4/9"}},
		{name: "stream in", method: "PUT", url: "/b/a%20b/c+d//e%2Ff", scope: "s3", header: unsigned("X-Amz-Meta-Colour", "red", "Content-Type", "text/plain"), body: "hello",
			status: 200, headers: map[string]string{"Etag": "hello a b/c+d//e/f red text/plain"}},
		{name: "hashed", method: "PUT", url: "/b/k", scope: "s3", header: unsigned("X-Amz-Content-Sha256", helloSum), body: "hello", status: 200},
		{name: "wrong hash", method: "PUT", url: "/b/k", scope: "s3", header: unsigned("X-Amz-Content-Sha256", helloSum), body: "hellO",
			status: 400, want: refusal("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.", "/b/k")},
		{name: "no hash", method: "PUT", url: "/b/k", scope: "s3", body: "hello", status: 400, want: refusal("InvalidRequest", "Missing required header for this request: x-amz-content-sha256", "/b/k")},
		{name: "unsupported signing of chunks", method: "PUT", url: "/b/k", scope: "s3", header: unsigned("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), body: "hello",
			status: 501, want: refusal("NotImplemented", "A header you provided implies functionality that is not implemented: x-amz-content-sha256: STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "/b/k")},
		{name: "chunks", method: "PUT", url: "/b/k", scope: "s3", header: unsigned("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "5", "X-Amz-Trailer", "x-amz-checksum-crc32", "Content-Encoding", "aws-chunked"),
			body: "2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", status: 200, headers: map[string]string{"Etag": "hello k  "}},
		{name: "virtual host", method: "PUT", url: "http://b.s3.eu-west-1.amazonaws.com/k", scope: "s3", header: unsigned(), body: "hello", status: 200, headers: map[string]string{"Etag": "hello k  "}},
		{name: "location", method: "GET", url: "/b?location", scope: "s3", header: unsigned(), status: 200, want: prolog + `<LocationConstraint ` + ns + `>eu-west-1</LocationConstraint>`,
			headers: map[string]string{"Content-Type": "application/xml"}},
		{name: "location of us-east-1", method: "GET", url: "/east?location", scope: "s3", header: unsigned(), status: 200, want: prolog + `<LocationConstraint ` + ns + `></LocationConstraint>`},
		{name: "list", method: "GET", url: "/b?list-type=2&prefix=x&max-keys=7", scope: "s3", header: unsigned(), status: 200,
			want: prolog + `<ListBucketResult ` + ns + `><IsTruncated>false</IsTruncated><Contents><Key>a&amp;b</Key><LastModified>2026-11-21T12:00:00.000Z</LastModified><Size>5</Size></Contents><Contents><Key>c</Key></Contents><Name>b</Name><Prefix>x</Prefix><MaxKeys>7</MaxKeys><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListBucketResult>`},
		{name: "XML in", method: "POST", url: "/b?delete", scope: "s3", header: unsigned(),
			body:   `<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><!-- c --><Object><Key>a&amp;b</Key></Object><Unknown><Deep/></Unknown><Object><Key><![CDATA[c<d]]></Key></Object><Quiet>false</Quiet></Delete>`,
			status: 200, want: prolog + `<DeleteResult ` + ns + `><Deleted><Key>a&amp;b</Key></Deleted><Deleted><Key>c&lt;d</Key></Deleted></DeleteResult>`},
		{name: "not XML", method: "POST", url: "/b?delete", scope: "s3", header: unsigned(), body: `<Delete><Object>`,
			status: 400, want: refusal("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", "/b")},
		{name: "entities", method: "POST", url: "/b?delete", scope: "s3", header: unsigned(), body: `<!DOCTYPE d [<!ENTITY e "eeee">]><Delete><Object><Key>&e;</Key></Object></Delete>`,
			status: 400, want: refusal("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", "/b")},
		{name: "attribute", method: "GET", url: "/b?acl", scope: "s3", header: unsigned(), status: 200,
			want: prolog + `<AccessControlPolicy ` + ns + `><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>me</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`},
		{name: "error with a field", method: "GET", url: "/b/missing", scope: "s3", header: unsigned(), status: 404,
			want: prolog + `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>missing</Key><Resource>/b/missing</Resource><RequestId>ID</RequestId><HostId>ID</HostId></Error>`},
		{name: "HEAD", method: "HEAD", url: "/b/k", scope: "s3", header: unsigned(), status: 200, headers: map[string]string{"Content-Length": "5"}},
		{name: "no credentials", method: "GET", url: "http://b.s3.amazonaws.com/k", status: 403, want: refusal("AccessDenied", "Access Denied", "/k")},
		{name: "no such operation", method: "PATCH", url: "/b/k", scope: "s3", header: unsigned(), status: 405, want: refusal("MethodNotAllowed", "The specified method is not allowed against this resource.", "/b/k")},
		{name: "preflight", method: "OPTIONS", url: "http://b.s3.amazonaws.com/k", header: map[string]string{"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"},
			status: 403, want: refusal("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.", "/k")},
	})
}
