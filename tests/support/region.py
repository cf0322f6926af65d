"""region.py - a small world with every level: a province, a county of it, and communities, all of real programs."""
import world as w

PROVINCE, COUNTY = "350000000000", "350104000000"
SITE_A, SITE_B, SITE_C = "350104001003", "350104002001", "350104003003"


class Region:
    """province and county run; the sites have joined and synced once.  What a suite shares is a subclass."""

    def __init__(self, world, everywhere=None, at_county=None, sites=None):
        """everywhere, at_county: settings (jinguo.ini), by section.  sites: {name: code}; none: a and b."""
        self.world, self.everywhere = world, everywhere or {}
        self.province, self.county = world.hub("province"), world.hub("county")
        self.made = self.province.root(PROVINCE, "福建省", "--listen", f"tcp://127.0.0.1:{world.port()}")
        self.province.run("org", "import", w.DIVISIONS)
        self.province.settings(self.everywhere)
        self.province.start()
        self.county_port = world.port()
        self.county.init("--listen", f"tcp://127.0.0.1:{self.county_port}")
        self.county.settings({**self.everywhere, **(at_county or {})})
        self.county.join(self.province, COUNTY)
        self.county.start()
        w.wait_for(lambda: self.county.status()["own_complete"], 20, "the county has its part of the tree")
        for name, code in (sites or {"a": SITE_A, "b": SITE_B}).items():
            setattr(self, name, self.node(name, code))

    def node(self, name, code):
        """A device that has joined the county for a community, and synced once."""
        node = self.world.node(name)
        node.init()
        node.settings(self.everywhere)
        node.join(self.county, code)
        node.run("sync")
        return node

    def settled(self, node):
        """What the county says of the node's work has come back to it."""
        def done():
            node.run("sync")
            s = node.status()
            return not (s["unsent"] or s["received"] or s["unapplied"] or s["waiting"])
        w.wait_for(done, 30, f"{node.name} is through")
