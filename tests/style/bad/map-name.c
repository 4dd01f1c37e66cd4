struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
} xfp_a_long_name_ SEC(".maps");
