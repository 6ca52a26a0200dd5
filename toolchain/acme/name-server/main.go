// An authoritative name server for one zone, in memory: answers queries, transfers the zone and takes updates (RFC 2136),
// both signed with a key (TSIG).
package main

import (
	"flag"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

type server struct {
	zone    string
	key     string
	mutex   sync.Mutex
	records []dns.RR
}

// start of authority, which both cert-manager and external-dns read to find the zone.
func (s *server) authority() dns.RR {
	return &dns.SOA{
		Hdr:    dns.RR_Header{Name: s.zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 1},
		Ns:     "ns." + s.zone,
		Mbox:   "admin." + s.zone,
		Serial: 1, Refresh: 1, Retry: 1, Expire: 1, Minttl: 1,
	}
}

func (s *server) isSigned(w dns.ResponseWriter, request *dns.Msg) bool {
	signature := request.IsTsig()
	return signature != nil && w.TsigStatus() == nil && signature.Hdr.Name == s.key
}

func (s *server) update(updates []dns.RR) {
	for _, each := range updates {
		header := each.Header()
		isOther := func(other dns.RR) bool {
			if !strings.EqualFold(other.Header().Name, header.Name) {
				return true
			}
			switch header.Class {
			case dns.ClassANY:
				return header.Rrtype != dns.TypeANY && other.Header().Rrtype != header.Rrtype
			case dns.ClassNONE:
				gone := dns.Copy(each)
				gone.Header().Class = dns.ClassINET
				return !dns.IsDuplicate(gone, other)
			}
			return !dns.IsDuplicate(each, other)
		}
		kept := s.records[:0]
		for _, other := range s.records {
			if isOther(other) {
				kept = append(kept, other)
			}
		}
		s.records = kept
		if header.Class == dns.ClassINET {
			s.records = append(s.records, each)
		}
	}
}

func (s *server) answer(question dns.Question) (answers []dns.RR, exists bool) {
	if strings.EqualFold(question.Name, s.zone) {
		exists = true
		if question.Qtype == dns.TypeSOA {
			answers = append(answers, s.authority())
		}
	}
	for _, each := range s.records {
		header := each.Header()
		if !strings.EqualFold(header.Name, question.Name) {
			continue
		}
		exists = true
		if header.Rrtype == question.Qtype || header.Rrtype == dns.TypeCNAME {
			answers = append(answers, each)
		}
	}
	return answers, exists
}

func (s *server) ServeDNS(w dns.ResponseWriter, request *dns.Msg) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	reply := new(dns.Msg).SetReply(request)
	reply.Authoritative = true
	question := request.Question[0]
	isTransfer := question.Qtype == dns.TypeAXFR
	switch {
	case !dns.IsSubDomain(s.zone, question.Name):
		reply.Rcode = dns.RcodeRefused
	case (isTransfer || request.Opcode == dns.OpcodeUpdate) && !s.isSigned(w, request):
		reply.Rcode = dns.RcodeNotAuth
	case request.Opcode == dns.OpcodeUpdate:
		s.update(request.Ns)
	case isTransfer:
		reply.Answer = append(append([]dns.RR{s.authority()}, s.records...), s.authority())
	default:
		var exists bool
		if reply.Answer, exists = s.answer(question); !exists {
			reply.Rcode = dns.RcodeNameError
		}
		if len(reply.Answer) == 0 {
			reply.Ns = []dns.RR{s.authority()}
		}
	}
	if signature := request.IsTsig(); signature != nil && s.isSigned(w, request) {
		reply.SetTsig(signature.Hdr.Name, signature.Algorithm, 300, time.Now().Unix())
	}
	if err := w.WriteMsg(reply); err != nil {
		log.Print(err)
	}
}

func main() {
	zone := flag.String("zone", "", "the zone, with a dot at its end")
	listen := flag.String("listen", "", "address and port")
	key := flag.String("key", "", "name of the key, with a dot at its end")
	secret := flag.String("secret", "", "the key, in Base64")
	flag.Parse()
	handler := &server{zone: *zone, key: *key}
	for _, network := range []string{"udp", "tcp"} {
		each := &dns.Server{
			Addr:       *listen,
			Net:        network,
			Handler:    handler,
			TsigSecret: map[string]string{*key: *secret},
			// miekg/dns rejects updates otherwise.
			MsgAcceptFunc: func(header dns.Header) dns.MsgAcceptAction {
				if opcode := int(header.Bits>>11) & 0xF; opcode == dns.OpcodeUpdate {
					return dns.MsgAccept
				}
				return dns.DefaultMsgAcceptFunc(header)
			},
		}
		go func() { log.Fatal(each.ListenAndServe()) }()
	}
	select {}
}
