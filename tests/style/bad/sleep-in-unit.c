void f(void)
{
	usleep(10);
}
