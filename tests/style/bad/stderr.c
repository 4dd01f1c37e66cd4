void f(void)
{
	fprintf(stderr, "no\n");
}
