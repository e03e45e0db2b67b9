from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.processes import Stop
from config.watchdog import Patience, Watchdog, cluster_command


class Command(BaseCommand):
    help = "Run the jobs, under a watchdog that replaces workers which hang."

    def add_arguments(self, parser: CommandParser) -> None:
        default = Patience()
        parser.add_argument(
            "--probe", type=float, default=default.probe, help="seconds between two probes"
        )
        parser.add_argument(
            "--silence",
            type=float,
            default=default.silence,
            help="seconds without a sign of life after which the workers are replaced",
        )
        parser.add_argument(
            "--grace", type=float, default=default.grace, help="seconds to end by themselves"
        )

    def handle(
        self, *args: Any, probe: float, silence: float, grace: float, **options: Any
    ) -> None:
        Watchdog(cluster_command(), Patience(probe, silence, grace)).watch(Stop())
