// Package v1beta1 declares the types of frr-k8s that MetalLB compiles against. Only its speaker uses them, and only for
// BGP; the module proxy does not serve the release that has them.
package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type FRRConfiguration struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Spec FRRConfigurationSpec
}

type FRRConfigurationSpec struct {
	BGP          BGPConfig
	NodeSelector metav1.LabelSelector
}

type BGPConfig struct {
	Routers     []Router
	BFDProfiles []BFDProfile
}

type Router struct {
	ASN       uint32
	ID        string
	VRF       string
	Neighbors []Neighbor
	Prefixes  []string
}

type DynamicASNMode string

type Neighbor struct {
	ASN                    uint32
	DynamicASN             DynamicASNMode
	Address                string
	Interface              string
	Port                   *uint16
	Password               string
	PasswordSecret         SecretReference
	HoldTime               *metav1.Duration
	KeepaliveTime          *metav1.Duration
	ConnectTime            *metav1.Duration
	EBGPMultiHop           bool
	BFDProfile             string
	EnableGracefulRestart  bool
	ToAdvertise            Advertise
	DisableMP              bool
	DualStackAddressFamily bool
}

type SecretReference struct {
	Name      string
	Namespace string
}

type Advertise struct {
	Allowed                   AllowedOutPrefixes
	PrefixesWithLocalPref     []LocalPrefPrefixes
	PrefixesWithCommunity     []CommunityPrefixes
	PrefixesWithAsPathPrepend []AsPathPrependPrefixes
}

type AllowedOutPrefixes struct {
	Prefixes []string
}

type LocalPrefPrefixes struct {
	Prefixes  []string
	LocalPref uint32
}

type CommunityPrefixes struct {
	Prefixes  []string
	Community string
}

type AsPathPrependPrefixes struct {
	Prefixes      []string
	AsPathPrepend uint8
}

type BFDProfile struct {
	Name             string
	ReceiveInterval  *uint32
	TransmitInterval *uint32
	DetectMultiplier *uint32
	EchoInterval     *uint32
	EchoMode         *bool
	PassiveMode      *bool
	MinimumTTL       *uint32
}

// AddToScheme adds nothing: no cluster that MetalLB's controller runs in here has these objects.
func AddToScheme(*runtime.Scheme) error {
	return nil
}

func (c *FRRConfiguration) DeepCopy() *FRRConfiguration {
	copied := *c
	return &copied
}

func (c *FRRConfiguration) DeepCopyObject() runtime.Object {
	return c.DeepCopy()
}

func (s *FRRConfigurationSpec) DeepCopyInto(out *FRRConfigurationSpec) {
	*out = *s
}
