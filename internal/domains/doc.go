// Package domains keeps custom domain names of APIs and what their paths lead to. A domain name is one thing, seen
// by the API of REST APIs and by that of HTTP APIs: both services work on the documents here, each in the shapes and
// words of its own API.
//
// # What is kept
//
// A [Domain] is a document by its name, which is unique among all regions, for a host leads to one of them. A
// [Mapping] is a path of a domain, of several segments perhaps, that leads to a stage of an API, of either kind. It
// is noted with the domain and with the API, so that an API that is mapped is not deleted.
//
// # The data plane
//
// [Service.Host] finds the domain of a request by its host: the names of all domains are kept in memory, so that a
// request that is for none of them, which is almost every one of a developer's server, costs one look into a map. A
// [Host] is what a domain says, compiled; it is forgotten when one of its documents changes.
//
// A wildcard, *.example.com, takes each name of one more label that has no domain of its own.
//
// # Certificates
//
// A certificate is named by its ARN, arn:aws:acm:REGION:ACCOUNT:certificate/NAME, and lies as NAME.crt and NAME.key,
// or as NAME.pem with both, in the directory that the server was given ([Certificates]). A domain of the older API
// may bring its certificate as text; the key is sealed then. Without a directory, and for names of this machine
// (localhost and below), the local certificate authority vouches for the domain, whatever its ARN: so a template
// with the ARN of a certificate on AWS comes up on a developer's machine as it is. Once there is a directory, an ARN
// that names nothing in it is refused.
//
// # Mutual TLS
//
// The truststore is read from its bucket when a domain is made or changed, as on AWS, and kept with the domain: what
// is uploaded later does not count until the domain is updated. In the handshake a client must show a certificate;
// whether the truststore vouches for it is decided for each request, by [Host.Verify], whose results are remembered:
// so that one that is not trusted gets AWS's 403 and a trace that says why, and so that a connection that was made
// for one name is not used for another.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html
package domains
